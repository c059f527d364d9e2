"""From work to device-hours: as fast as runs on record, else by operations at an assumed share of
the device's peak. Which of the two, and what was assumed, is said."""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.core.environment import processor_name
from benchmark.cost.clock import DeviceUnit, device_unit
from benchmark.cost.devices import Gpu, gpu_called, gpu_named
from benchmark.planning.measured import Rates, rates_of
from benchmark.planning.planned import How, PlannedDevice, PlannedStage
from benchmark.planning.room import reserve_in_words
from benchmark.planning.work import Work
from benchmark.stages.resolve import Run

MFU = 0.213
MFU_SOURCE = (
    "the lowest of four large trainings in Chowdhery et al. 2022, arXiv:2204.02311, table 3; small "
    "batches may reach less"
)
HOUR_S = 3600.0


@dataclass(frozen=True, kw_only=True)
class Clock:
    """What hours are reckoned with: a GPU by name, or the device that is here; `peak_flops` stands
    in for the data sheet's, operations a second."""

    device: str
    gpu: str | None = None
    peak_flops: float | None = None
    mfu: float | None = None

    def reading(self, run: Run, *, weight_bytes: float) -> Hours:
        """With what records of the run's model tell."""
        unit: DeviceUnit = "gpu" if self.gpu is not None else device_unit(self.device)
        name = self._name(unit)
        rates = rates_of(
            run.results, model=run.spec.model, unit=unit, device_name=name, method=run.entry.name
        )
        sheet = gpu_named(self.gpu) if self.gpu is not None else None
        if sheet is None and unit == "gpu" and (called := gpu_called(name)) is not None:
            _, sheet = called
        device = PlannedDevice(
            unit=unit,
            name=name,
            peak_flops=self.peak_flops or (sheet.peak_flops if sheet else None),
            bytes_a_second=sheet.bytes_a_second if sheet else None,
            memory_bytes=self._memory_bytes(unit, sheet),
            mfu=self.mfu or MFU,
            n_records=rates.n_records,
        )
        source = "given" if self.peak_flops else sheet.source if sheet else None
        return Hours(
            device=device, rates=rates, weight_bytes=weight_bytes, peak_source=source,
            mfu_source="given" if self.mfu else MFU_SOURCE,
        )  # fmt: skip

    def _memory_bytes(self, unit: DeviceUnit, sheet: Gpu | None) -> int | None:
        """Of a GPU by name as it is known of the kind, of one that is here as it is."""
        if unit == "cpu-core" or self.gpu is not None:
            return sheet.memory_bytes if sheet else None
        import torch

        return int(torch.cuda.get_device_properties(self.device).total_memory)

    def _name(self, unit: DeviceUnit) -> str:
        if self.gpu is not None:
            return gpu_named(self.gpu).known_as
        if unit == "cpu-core":
            return processor_name()
        import torch

        return torch.cuda.get_device_name(self.device)


@dataclass(frozen=True, kw_only=True)
class Hours:
    """Stages with their device-hours."""

    device: PlannedDevice
    rates: Rates
    weight_bytes: float
    peak_source: str | None
    mfu_source: str

    @property
    def assumptions(self) -> list[str]:
        """What verdicts and hours rest on, in words."""
        found = [] if self.device.memory_bytes is None else [reserve_in_words()]
        if self.rates.n_records:
            found.append(
                f"measured (*): medians over {self.rates.n_records} runs of this model on "
                f"{self.device.name}"
            )
        if self.device.peak_flops is None:
            found.append(
                f"no peak is known of {self.device.name}: --peak-tflops gives one, --gpu names "
                "another device"
            )
            return found
        found.append(
            f"reckoned: {self.device.peak_flops / 1e12:g} TFLOP/s at best ({self.peak_source}), of "
            f"which {100 * self.device.mfu:g} % are reached ({self.mfu_source})"
        )
        if self.device.bytes_a_second is not None:
            found.append(
                "each word of an answer reads all weights once, at "
                f"{self.device.bytes_a_second / 1e9:g} GB/s, if that takes longer"
            )
        return found

    def train(self, work: Work, *, n_runs: int) -> PlannedStage:
        """By operations, else by tokens."""
        seconds: float | None = None
        if work.flops is not None and self.rates.s_per_train_flop is not None:
            seconds = work.flops * self.rates.s_per_train_flop
        elif self.rates.s_per_train_token is not None:
            seconds = work.n_tokens * self.rates.s_per_train_token
        return self._stage("train", work, seconds, n_runs=n_runs)

    def generate(self, work: Work, *, n_runs: int) -> PlannedStage:
        """By tokens read and said."""
        rate = self.rates.s_per_token
        seconds = (work.n_tokens + work.n_answer_tokens) * rate if rate is not None else None
        return self._stage("generate", work, seconds, n_runs=n_runs, saying=True)

    def judge(self, work: Work, *, n_runs: int) -> PlannedStage:
        """By answers that are judged."""
        rate = self.rates.s_per_judged
        seconds = work.n_samples * rate if rate is not None else None
        return self._stage("judge", work, seconds, n_runs=n_runs, saying=True)

    def likelihood(self, work: Work, *, n_runs: int) -> PlannedStage:
        """By questions about persons whose given answers are measured."""
        rate = self.rates.s_per_measured
        seconds = work.n_samples * rate if rate is not None else None
        return self._stage("likelihood", work, seconds, n_runs=n_runs, saying=True)

    def _stage(
        self, name: str, work: Work, seconds: float | None, *, n_runs: int, saying: bool = False
    ) -> PlannedStage:
        how: How | None = "measured" if seconds is not None else None
        if seconds is None:
            seconds = self._reckoned(work, saying=saying)
            how = "reckoned" if seconds is not None else None
        answers = 0 if saying else work.n_answer_tokens
        return PlannedStage(
            name=name,
            n_runs=n_runs,
            n_steps=None if saying else n_runs * work.n_steps,
            n_samples=n_runs * work.n_samples if saying else None,
            n_images=n_runs * work.n_images,
            n_text_tokens=n_runs * (work.n_tokens - work.n_image_tokens - answers),
            n_image_tokens=n_runs * work.n_image_tokens,
            n_answer_tokens=n_runs * work.n_answer_tokens,
            flops=n_runs * work.flops if work.flops is not None else None,
            device_h=n_runs * seconds / HOUR_S if seconds is not None else None,
            how=how,
        )

    def _reckoned(self, work: Work, *, saying: bool) -> float | None:
        if work.flops is None or self.device.peak_flops is None:
            return None
        seconds = work.flops / (self.device.peak_flops * self.device.mfu)
        if saying and self.device.bytes_a_second is not None:
            seconds = max(seconds, work.n_steps * self.weight_bytes / self.device.bytes_a_second)
        return seconds

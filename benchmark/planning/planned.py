"""What a plan says, for people and for programs."""

from __future__ import annotations

from typing import Literal

from benchmark.core.records import BatchCount, Stored

How = Literal["measured", "reckoned"]
Verdict = Literal["fits", "tight", "does not fit"]


class PlannedDevice(Stored):
    """What hours are of. `peak_flops` and `mfu` are assumptions, None where hours are not reckoned
    from them."""

    unit: Literal["gpu", "cpu-core"]
    name: str
    peak_flops: float | None
    bytes_a_second: float | None
    memory_bytes: int | None
    mfu: float
    n_records: int


class PlannedStage(Stored):
    """One stage, of all seeds together. `n_text_tokens` are of prompts without their images;
    answers that are still to come are as long as they may be. None is not known, never 0."""

    name: str
    n_runs: int
    n_steps: int | None
    n_samples: int | None
    n_images: int
    n_text_tokens: int
    n_image_tokens: int
    n_answer_tokens: int
    flops: float | None
    device_h: float | None
    how: How | None


class PlannedRoom(Stored):
    """What is needed beside what the device has. `tight`: what is spare is less than the reserve
    for what is not reckoned."""

    needed_bytes: float
    spare_bytes: float
    reserve_bytes: float
    verdict: Verdict


class PlannedPool(Stored):
    """Samples of a pool, and how often a training goes through them."""

    n_samples: int
    n_epochs: float


class PlannedPhase(Stored):
    """One phase of a training: each step takes `batch_size` samples of each pool, `micro_batch` at
    a time. Its sequences are prompts with an answer, each as often as it is trained on; tokens are
    means over them, without padding."""

    name: str
    n_steps: int
    batch_size: int
    micro_batch: int
    pools: dict[str, PlannedPool]
    n_images: int
    n_sequences: int
    text_tokens_each: float
    image_tokens_each: float
    answer_tokens_each: float


class PlannedAnswering(Stored):
    """`batches` are those that the engine asks: of `batch_size`, which would take `whole_bytes`,
    and from where these do not fit in the device's memory halves of them, as often as it takes,
    down to `falls_back_to`."""

    batch_size: int
    falls_back_to: int
    whole_bytes: float
    batches: list[BatchCount]


class Planned(Stored):
    """`plan`. Memory and disk in bytes by part. `computed_in` is what flows through the model;
    `fits` is False where a part does not, None where the device's memory is not known."""

    method: str
    model: str
    suite: str
    preset: str | None
    n_seeds: int
    modality: str | None
    precision: str
    computed_in: str
    gradient_checkpointing: bool
    tuning: dict[str, str]
    parameters: dict[str, int]
    device: PlannedDevice
    training: list[PlannedPhase]
    training_memory: dict[str, float]
    training_room: PlannedRoom | None
    remedies: list[str]
    answering: PlannedAnswering
    answering_memory: dict[str, float]
    answering_room: PlannedRoom | None
    fits: bool | None
    disk: dict[str, float]
    stages: list[PlannedStage]
    device_h: float | None
    assumptions: list[str]
    notes: list[str]

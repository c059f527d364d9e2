"""What a plan says, for people and for programs."""

from __future__ import annotations

from typing import Literal

from benchmark.core.records import Stored

How = Literal["measured", "reckoned"]


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


class Planned(Stored):
    """`plan`. Memory and disk in bytes by part; `fits` is None where the device's memory is not
    known."""

    method: str
    model: str
    suite: str
    preset: str | None
    n_seeds: int
    modality: str | None
    precision: str
    gradient_checkpointing: bool
    tuning: dict[str, str]
    parameters: dict[str, int]
    device: PlannedDevice
    training_memory: dict[str, float]
    answering_memory: dict[str, float]
    fits: bool | None
    disk: dict[str, float]
    stages: list[PlannedStage]
    device_h: float | None
    assumptions: list[str]
    notes: list[str]

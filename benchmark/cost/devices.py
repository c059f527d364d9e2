"""Devices that a plan can be made for without having one, by their makers' data sheets.

Peaks are of dense bf16 products that add up in fp32: what the data sheets call without sparsity.
Memory is what the driver calls the total (nvidia-smi), in MiB, not the round figure of the sheet,
which is in GB for one GPU and in GiB for the other.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmark.core.errors import unknown


@dataclass(frozen=True, kw_only=True)
class Gpu:
    """One GPU. `known_as` is part of what the driver calls it."""

    peak_flops: float
    bytes_a_second: float
    memory_bytes: int
    known_as: str
    source: str


_MIB = 2**20
GPUS: dict[str, Gpu] = {
    "rtx-3090": Gpu(
        peak_flops=71e12, bytes_a_second=936e9, memory_bytes=24576 * _MIB, known_as="RTX 3090",
        source="NVIDIA Ampere GA102 whitepaper, table 9",
    ),
    "rtx-4090": Gpu(
        peak_flops=165.2e12, bytes_a_second=1008e9, memory_bytes=24564 * _MIB, known_as="RTX 4090",
        source="NVIDIA Ada whitepaper, table 2",
    ),
    "a100-80gb": Gpu(
        peak_flops=312e12, bytes_a_second=2039e9, memory_bytes=81920 * _MIB, known_as="A100",
        source="NVIDIA A100 data sheet, 80 GB SXM",
    ),
    "h100-80gb": Gpu(
        peak_flops=989.4e12, bytes_a_second=3350e9, memory_bytes=81559 * _MIB, known_as="H100",
        source="NVIDIA H100 data sheet, SXM",
    ),
    "h200": Gpu(
        peak_flops=989.4e12, bytes_a_second=4800e9, memory_bytes=143771 * _MIB, known_as="H200",
        source="NVIDIA H200 data sheet, SXM",
    ),
}  # fmt: skip


def gpu_named(name: str) -> Gpu:
    """By the name that it is asked for; `UserError` with the nearest for another."""
    if name not in GPUS:
        unknown("GPU", name, GPUS)
    return GPUS[name]


def gpu_called(device_name: str) -> tuple[str, Gpu] | None:
    """By what its driver calls it; None for one that is not among them."""
    return next(((n, gpu) for n, gpu in GPUS.items() if gpu.known_as in device_name), None)

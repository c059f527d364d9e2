"""What a run says when memory runs out: where, and what takes less."""

from __future__ import annotations

from collections.abc import Iterator

from benchmark.core.records import RunSpec, Stage


def out_of_memory(error: BaseException, *, stage: Stage, spec: RunSpec | None) -> str:
    """One line; of a training with the remedies that it does not use yet."""
    problem = f"out of memory: {(str(error).strip() or type(error).__name__).splitlines()[0]}"
    if stage != "train" or spec is None:
        return problem
    return (
        f"{problem}; what takes less: {', '.join(_remedies(spec))}; nothing that was stored is "
        "lost, and the same command goes on from there"
    )


def _remedies(spec: RunSpec) -> Iterator[str]:
    """Most memory for least harm first."""
    if not spec.gradient_checkpointing:
        yield "--gradient-checkpointing"
    together = spec.config.get("micro_batch") or spec.config.get("batch_size")
    if together != 1:
        yield f"a micro_batch of fewer samples than {together}"
    if spec.precision in ("fp32", "bf16", "fp16"):
        yield "adapters over rounded weights (trains.language=lora_int8 or qlora)"
    elif spec.precision != "nf4":
        yield "weights of fewer bits (trains.language=qlora)"

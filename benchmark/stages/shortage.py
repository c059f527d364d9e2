"""What a run says when memory runs out: where, and what takes less."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from benchmark.core.errors import RunFailed, first_line
from benchmark.core.records import RunSpec, Stage
from benchmark.core.roles import ADAPTED_OVER
from benchmark.vlm.memory import is_out_of_memory


@contextmanager
def shortage_in_one_line(spec: RunSpec) -> Iterator[None]:
    """Around a training of a command that can only set what a method has. Raises `RunFailed` with
    the line where memory runs out."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        line = out_of_memory(error, stage="train", spec=spec, recomputing=False)
        raise RunFailed(f"{spec.method}: failed while train: {line}") from error


def out_of_memory(
    error: BaseException, *, stage: Stage, spec: RunSpec | None, recomputing: bool = True
) -> str:
    """One line; of a training with the remedies that it has and does not use yet. `recomputing`:
    the command takes --gradient-checkpointing."""
    problem = f"out of memory: {first_line(error)}"
    if stage != "train" or spec is None:
        return problem
    less = ", ".join(remedies(spec, recomputing=recomputing))
    less = f"; what takes less, and begins anew: {less}" if less else ""
    return f"{problem}{less}; nothing that was stored is lost: the same command goes on from there"


def remedies(spec: RunSpec, *, recomputing: bool = True) -> Iterator[str]:
    """What a training can take that it does not take yet: most memory for least harm first."""
    trains = spec.config.get("trains")
    tunings = trains if isinstance(trains, dict) else {}
    if recomputing and tunings and not spec.gradient_checkpointing:
        yield "--gradient-checkpointing"
    together = spec.config.get("micro_batch") or spec.config.get("batch_size")
    if isinstance(together, int) and together > 1:
        # A divisor, so that a batch stays a multiple of it, in several processes too.
        fewer = next(n for n in range(together - 1, 0, -1) if together % n == 0)
        yield f"a smaller micro-batch (--set micro_batch={fewer})"
    # Rounded weights are trained over by adapters of the language model alone.
    if set(tunings) != {"language"}:
        return
    if tunings["language"] not in ADAPTED_OVER:
        yield "adapters over rounded weights (--set trains.language=lora_int8, or qlora)"
    elif tunings["language"] != "qlora":
        yield "weights of fewer bits (--set trains.language=qlora)"

"""The fixed batch plan: which samples are answered together, in which order.

It follows from the samples alone. An answer's last digits depend on what it is batched with, so a
resumed run starts at the first unfinished batch of the same plan.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmark.core.samples import Sample


def plan_batches(
    samples: Sequence[Sample], *, batch_size: int, length_of: Callable[[Sample], int]
) -> list[list[Sample]]:
    """Batches of like modality and length, each sample in exactly one of them."""
    ordered = sorted(samples, key=lambda s: (s.modality, length_of(s), s.id))
    batches: list[list[Sample]] = []
    for sample in ordered:
        batch = batches[-1] if batches else None
        if batch and len(batch) < batch_size and batch[0].modality == sample.modality:
            batch.append(sample)
        else:
            batches.append([sample])
    return batches


def halved(plan: Sequence[Sequence[Sample]], *, after: int) -> list[list[Sample]]:
    """The plan with its first batches as they are, so many of them, and all others cut in two."""
    rest = [
        list(half)
        for batch in plan[after:]
        for half in (batch[: (len(batch) + 1) // 2], batch[(len(batch) + 1) // 2 :])
        if half
    ]
    return [*map(list, plan[:after]), *rest]

"""Is there room on a GPU for what is reckoned, with a reserve for what is not?"""

from __future__ import annotations

from benchmark.planning.planned import PlannedRoom, Verdict

_GIB = 2**30
OUTSIDE_BYTES = 1.4 * _GIB
"""What the driver and the process's CUDA context with its libraries take. PyTorch says so itself
when memory runs out: on a GPU of 80 GiB `a total capacity of 79.14 GiB`, of which a process held
0.49 GiB beside its tensors (as quoted in github.com/lianqi1008/Control-GIC/issues/6; as much on
one of 40 GiB, github.com/TianheWu/CoSeR/issues/10)."""
FRAGMENTS = 0.05
"""Of what is reckoned, held by the allocator and unused, or taken for a moment. The same two
messages: 6 and 7 % of the tensors."""


def reserve_bytes(needed: float) -> float:
    """What is to be free beside what is reckoned."""
    return OUTSIDE_BYTES + FRAGMENTS * needed


def room(needed: float, memory_bytes: int | None) -> PlannedRoom | None:
    """The verdict; None where the device's memory is not known."""
    if memory_bytes is None:
        return None
    spare, reserve = memory_bytes - needed, reserve_bytes(needed)
    verdict: Verdict = "fits" if spare >= reserve else "tight" if spare >= 0 else "does not fit"
    return PlannedRoom(
        needed_bytes=needed, spare_bytes=spare, reserve_bytes=reserve, verdict=verdict
    )


def reserve_in_words() -> str:
    """For the list of what is assumed."""
    return (
        f"in reserve {OUTSIDE_BYTES / _GIB:g} GiB for driver and CUDA context and "
        f"{100 * FRAGMENTS:g} % of what is reckoned for the allocator's fragments and moments of "
        "large tensors (after out-of-memory messages of PyTorch on A100s); less is 'tight'"
    )

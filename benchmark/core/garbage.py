"""Keep Python from looking for garbage where there is none."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def nothing_to_collect() -> Iterator[None]:
    """Around imports: all that they make stays, and Python would look through it again and again,
    for a seventh of the time that torch and transformers take to import."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        if was_on:
            gc.enable()


def leave_it_all() -> None:
    """At the end of a process: the system takes all memory back at once, where Python would look
    through every object that torch has made for more than a second."""
    gc.freeze()

"""Treatments of a finished model, one file each; the file's name is the treatment's.

This module imports no torch, so that a name is checked before anything heavy is loaded.
"""

from __future__ import annotations

from pathlib import Path

from benchmark.core.errors import unknown
from benchmark.core.rows import split_row

UNTREATED = "untreated"
"""The model as its method left it: asked whenever any treatment is."""
IN_ORDER = (
    UNTREATED, "merged", "int8", "nf4", "benign", "relearn", "in_context", "sampling",
)  # fmt: skip
"""As tables show them; what is not named here comes after, by name."""
FOLDER = Path(__file__).parent


def names() -> tuple[str, ...]:
    """All that there are, in the order of tables."""
    there = {path.stem for path in FOLDER.glob("*.py") if not path.name.startswith("_")}
    known = [name for name in IN_ORDER if name in there]
    return (*known, *sorted(there - set(known)))


def check_row(row: str) -> None:
    """Raise `UserError` for a treatment that is not there."""
    name = split_row(row)[0]
    if name not in names():
        unknown("treatment", name, names())

"""The request itself, in plain words.

The baseline of every attack paper; no source of its own.
Differs from the paper: none known.
"""

from __future__ import annotations

from benchmark.attacks._dressed import DressedAttack


class Direct(DressedAttack):
    """The plain request in text."""

    form = "direct"
    family = "text"


ATTACK = Direct

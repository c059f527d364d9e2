"""A name that can be typed, and what stands behind it: a plugin or a card."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

Kind = Literal["method", "attack", "judge", "dataset", "model", "suite", "study", "preset"]
KINDS: tuple[Kind, ...] = get_args(Kind)
PLUGIN_KINDS: tuple[Kind, ...] = ("method", "attack", "judge")
BUILT_IN = "built-in"
A_FILE = "file"


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One name. `source_sha256` is of its code or card, `problem` says why it cannot be used,
    `note` what else laid claim to it, `facts` what a listing of models says of its card."""

    name: str
    kind: Kind | Literal["metric"]
    path: Path
    origin: str
    summary: str
    source_sha256: str
    module: str | None = None
    problem: str | None = None
    note: str | None = None
    facts: dict[str, str] = field(default_factory=dict, hash=False)

"""Finished stages of the recipe on disk, found by what made them.

A stage's key covers the source it depends on, its settings, and the keys of the stages it starts
from; so variants share what they have in common, and nothing stale is ever found.
"""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from benchmark.testbed.recipe.loop import Trace

_TESTBED = Path(__file__).resolve().parents[1]
# Judging and measuring are no part of what a stage learns.
_NOT_LEARNT_FROM = ("verdicts.py", "material.py", "recipe/acceptance.py", "recipe/ceilings.py",
                    "recipe/answering.py", "recipe/model_card.py", "recipe/variants.py",
                    "recipe/__init__.py", "recipe/__main__.py")  # fmt: skip


def source_digest() -> str:
    """Digest of the code that decides what is learnt."""
    digest = hashlib.sha256()
    for path in sorted(_TESTBED.rglob("*.py")):
        name = path.relative_to(_TESTBED).as_posix()
        if name not in _NOT_LEARNT_FROM and not name.startswith("tables/how_to"):
            digest.update(name.encode() + path.read_bytes())
    return digest.hexdigest()


def stage_key(name: str, settings: object, upstream: tuple[str, ...]) -> str:
    """The key of a stage with these settings (JSON) that starts from those stages."""
    text = json.dumps([name, settings, upstream, source_digest()], sort_keys=True, default=vars)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


@dataclass(frozen=True, kw_only=True)
class StageCache:
    """One folder per stage: `partial` checkpoints while it runs, `finished.pt` when done."""

    folder: Path

    def of(self, key: str) -> Path:
        """The folder of the stage with this key."""
        return self.folder / key

    def restore(self, key: str, parts: dict[str, nn.Module]) -> Trace | None:
        """Load a finished stage into the parts it trained; None if it is not finished."""
        path = self.of(key) / "finished.pt"
        if not path.exists():
            return None
        stored = torch.load(path, weights_only=True)
        for name, part in parts.items():
            part.load_state_dict(stored["parts"][name])
        return Trace(losses=stored["losses"], seconds=stored["seconds"])

    def keep(self, key: str, parts: dict[str, nn.Module], trace: Trace) -> None:
        """Store a finished stage and drop its partial checkpoints."""
        folder = self.of(key)
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / "finished.tmp"
        torch.save(
            {
                "parts": {name: part.state_dict() for name, part in parts.items()},
                "losses": trace.losses,
                "seconds": trace.seconds,
            },
            temporary,
        )
        os.replace(temporary, folder / "finished.pt")
        for partial in folder.glob("*.partial"):
            partial.unlink()

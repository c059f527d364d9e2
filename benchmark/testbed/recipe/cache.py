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

from benchmark.core.records import Git
from benchmark.testbed.recipe.loop import Trace
from benchmark.testbed.world import build_world

_TESTBED = Path(__file__).resolve().parents[1]
# The code that decides what a stage learns, beyond its settings and the world's items; patterns
# under the testbed. Sight does not depend on what is said, but for what stands on pages.
_LOOP = (
    "architectures/architecture.py", "items.py", "world.py", "recipe/loop.py", "recipe/batches.py",
    "recipe/examples.py", "recipe/stages.py",
)  # fmt: skip
_PICTURES = (
    "font.py", "shapes.py", "faces.py", "images.py", "scenes.py", "lexicon.py",
    "grammar/pictures.py",
)  # fmt: skip
# Scenes are told in words too.
_TEXT = (*_LOOP, *_PICTURES, "tokenizer.py", "grammar/*.py", "recipe/text_mixtures.py")
_SIGHT = (*_LOOP, *_PICTURES, "recipe/sight.py")
_BOTH = (*_TEXT, *_SIGHT, "recipe/alignment.py", "recipe/picture_mixtures.py")
SOURCES = {
    "language": _TEXT,
    "assistance": _TEXT,
    "text_safety": _TEXT,
    "vision": _SIGHT,
    "alignment": (*_SIGHT, "recipe/alignment.py"),
    "instructions": _BOTH,
    "safety_beside_images": _BOTH,
    "persons": (*_BOTH, "persons.py", "recipe/person_mixtures.py"),
}


def source_digest(stage: str, architecture: str) -> str:
    """Digest of the world's items and of the code that decides what this stage learns."""
    digest = hashlib.sha256(repr(build_world().items).encode())
    for path in sources(stage, architecture):
        digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()


def sources(stage: str, architecture: str) -> list[Path]:
    """The files that decide what a stage of this architecture learns."""
    patterns = (f"architectures/{architecture}.py", *SOURCES[stage])
    return [path for pattern in patterns for path in sorted(_TESTBED.glob(pattern))]


def stage_key(stage: str, settings: object, upstream: tuple[str, ...], *, architecture: str) -> str:
    """The key of a stage with these settings (JSON) that starts from those stages."""
    digest = source_digest(stage, architecture)
    text = json.dumps([stage, settings, upstream, architecture, digest], sort_keys=True)
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

    def trained_by(self, key: str) -> Git:
        """The code that a finished stage was trained by; unknown where nobody wrote it down."""
        stored = torch.load(self.of(key) / "finished.pt", weights_only=True)
        return Git.model_validate(stored.get("git") or {"commit": None, "dirty": None})

    def keep(self, key: str, parts: dict[str, nn.Module], trace: Trace, *, git: Git) -> None:
        """Store a finished stage, with the code it was begun by, and drop its partial
        checkpoints."""
        folder = self.of(key)
        folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / "finished.tmp"
        torch.save(
            {
                "parts": {name: part.state_dict() for name, part in parts.items()},
                "losses": trace.losses,
                "seconds": trace.seconds,
                "git": git.model_dump(),
            },
            temporary,
        )
        os.replace(temporary, folder / "finished.pt")
        for partial in folder.glob("*.partial"):
            partial.unlink()

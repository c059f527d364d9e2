"""Weights as vLLM takes them: a checkpoint's folder, and an adapter over it where there is one."""

from __future__ import annotations

import json
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from safetensors import safe_open
from safetensors.torch import save_file

from benchmark.core.store import writing

INDEX = "model.safetensors.index.json"
# How transformers 5 names the layers of a vision tower, and how it and everybody did before.
_TOWER = re.compile(r"^((?:model\.)?vision_tower\.)(?=(?:embeddings|encoder|pre_|post_))")
_FORMER = r"\1vision_model."

Form = Literal["checkpoint", "merged", "adapter"]


@dataclass(frozen=True, kw_only=True)
class ServedWeights:
    """What vLLM is to load. `form` says how a method's weights came there: it changed none or they
    are another `checkpoint`, they were `merged` into one, or they are an `adapter` beside it."""

    form: Form
    checkpoint: Path
    adapter: Path | None = None
    rank: int = 0
    """Of the adapter."""


def former_name(name: str) -> str:
    """A weight's name as vLLM looks for it."""
    return _TOWER.sub(_FORMER, name)


def with_former_names(checkpoint: Path, *, to: Path) -> Path:
    """The checkpoint itself where vLLM finds every weight, else a copy in `to` under the names that
    it looks for; what is not weights is linked."""
    files = sorted(checkpoint.glob("*.safetensors"))
    if not any(former_name(name) != name for path in files for name in _names(path)):
        return checkpoint
    with writing(to):
        to.mkdir(parents=True, exist_ok=True)
        for path in sorted(checkpoint.iterdir()):
            target = to / path.name
            target.unlink(missing_ok=True)
            if path in files:
                _rename(path, target)
            elif path.name == INDEX:
                index = json.loads(path.read_text())
                places = index["weight_map"].items()
                index["weight_map"] = {former_name(name): file for name, file in places}
                target.write_text(json.dumps(index))
            elif path.is_file():
                os.symlink(path.resolve(), target)
    return to


def _names(path: Path) -> list[str]:
    with safe_open(path, "pt") as stream:
        return list(stream.keys())


def _rename(path: Path, target: Path) -> None:
    with safe_open(path, "pt") as stream:
        tensors = {former_name(name): stream.get_tensor(name) for name in stream.keys()}  # noqa: SIM118
        save_file(tensors, target, metadata=stream.metadata())

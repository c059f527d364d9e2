"""Writes changed weights as an ordinary checkpoint: base and delta in one, with its processor."""

from __future__ import annotations

from pathlib import Path

from transformers import AutoProcessor

from benchmark.vlm.artifacts import WeightsDelta
from benchmark.vlm.loading import load_model


def write_merged(folder: Path, delta: WeightsDelta, *, base: Path, precision: str) -> None:
    """The checkpoint at `base` with the delta in its weights, written to `folder`."""
    model = load_model(base, name="base", precision=precision).hf
    parameters = dict(model.named_parameters())
    for name, value in delta.full.items():
        parameters[name].data.copy_(value)
    if delta.adapter is not None:
        model = delta.adapter.attach(model).merge_and_unload()
    model.save_pretrained(folder)
    AutoProcessor.from_pretrained(base, local_files_only=True).save_pretrained(folder)

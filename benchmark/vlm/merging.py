"""Writes changed weights as an ordinary checkpoint: base and delta in one, with its processor."""

from __future__ import annotations

from pathlib import Path

from benchmark.vlm.artifacts import WeightsDelta
from benchmark.vlm.loading import load_model, takes_own_code
from benchmark.vlm.processors import load_processor


def write_merged(
    folder: Path, delta: WeightsDelta, *, base: Path, precision: str, own_code: bool = False
) -> None:
    """The checkpoint at `base`, with code of its own if it may run, with the delta in its weights,
    written to `folder`."""
    model = load_model(base, name="base", precision=precision, trust_remote_code=own_code).hf
    parameters = dict(model.named_parameters())
    for name, value in delta.full.items():
        parameters[name].data.copy_(value)
    if delta.adapter is not None:
        model = delta.adapter.attach(model).merge_and_unload()
    model.save_pretrained(folder)
    own_code = takes_own_code(base, trusted=own_code)
    load_processor(base, own_code=own_code).save_pretrained(folder)

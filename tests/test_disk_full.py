"""A disk that is full while a run writes: one line, nothing corrupted, and then it goes on."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest
import torch
from live_models import pools, untrained

from benchmark.core.store import StorageError
from benchmark.training.checkpoint import checkpoint_of, load_checkpoint, save_checkpoint
from benchmark.vlm import artifacts
from benchmark.vlm.artifacts import WeightsDelta

FULL = OSError(errno.ENOSPC, "No space left on device")


def refuse(*_args: object, **_kwargs: object) -> None:
    raise FULL


def test_checkpoint_and_the_one_before_it_survives(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weight = torch.nn.Parameter(torch.ones(2))
    optimiser = torch.optim.AdamW([weight])
    path = tmp_path / "train.checkpoint.pt"
    state = {"parameters": {"weight": weight}, "optimiser": optimiser, "counted": {}}
    save_checkpoint(path, checkpoint_of(step=3, **state))  # type: ignore[arg-type]
    monkeypatch.setattr(torch, "save", refuse)
    with pytest.raises(StorageError, match=r"cannot write .*checkpoint\.pt: No space left"):
        save_checkpoint(path, checkpoint_of(step=4, **state))  # type: ignore[arg-type]
    monkeypatch.undo()
    step, _ = load_checkpoint(path, parameters={"weight": weight}, optimiser=optimiser)
    assert step == 3


def test_artifact(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    model = untrained()
    model.prepare({"language": "lora"}, rank=2, alpha=4.0, dropout=0.0)
    delta = model.weights_delta()
    monkeypatch.setattr(artifacts, "save_file", refuse)
    with pytest.raises(StorageError, match="No space left"):
        delta.save(tmp_path / "artifact")
    monkeypatch.undo()
    # What lacks its last file is no artifact; with room it is written whole.
    assert not (tmp_path / "artifact" / artifacts.DELTA).exists()
    delta.save(tmp_path / "artifact")
    fresh = untrained()
    fresh.apply(WeightsDelta.load(tmp_path / "artifact"))
    view = fresh.view(pools(tmp_path)["keep"].samples, ["first count cloth."] * 4)
    assert torch.equal(fresh.answer_logits(view), model.answer_logits(view))

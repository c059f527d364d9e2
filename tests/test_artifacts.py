"""What training leaves behind: saved, loaded, answering the same, and only on its own base."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from live_models import pools, untrained

from benchmark.core.errors import UserError
from benchmark.vlm import artifacts
from benchmark.vlm.artifacts import WeightsDelta
from benchmark.vlm.model import VisionLanguageModel


def changed(trains: dict[str, str]) -> VisionLanguageModel:
    model = untrained()
    model.prepare(trains, rank=2, alpha=4.0, dropout=0.0)  # type: ignore[arg-type]
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.trainable().values():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return model


@pytest.mark.parametrize(
    "trains",
    [{"language": "lora"}, {"language": "full"}, {"projector": "full", "language": "lora"}],
)
def test_a_reloaded_artifact_answers_the_same(trains: dict[str, str], tmp_path: Path) -> None:
    model = changed(trains)
    model.weights_delta().save(tmp_path / "artifact")
    fresh = untrained()
    fresh.apply(WeightsDelta.load(tmp_path / "artifact"))
    samples = pools(tmp_path / "images", images=True)["forget"].samples
    view = fresh.view(samples, ["first count cloth."] * len(samples))
    assert torch.equal(fresh.answer_logits(view), model.answer_logits(view))
    assert not torch.equal(fresh.answer_logits(view), untrained().answer_logits(view))


def test_a_lora_artifact_is_an_ordinary_peft_adapter(tmp_path: Path) -> None:
    from peft import PeftModel

    model = changed({"language": "lora"})
    model.weights_delta().save(tmp_path / "artifact")
    bare = untrained()
    PeftModel.from_pretrained(bare.hf, str(tmp_path / "artifact"))
    view = bare.view(pools(tmp_path)["keep"].samples, ["first count cloth."] * 4)
    assert torch.equal(bare.answer_logits(view), model.answer_logits(view))


def test_another_base_is_refused(tmp_path: Path) -> None:
    delta = changed({"language": "lora"}).weights_delta()
    replace(delta, base_sha256="0" * 64).save(tmp_path)
    with pytest.raises(UserError, match=f"artifact {tmp_path} was made on other weights") as caught:
        untrained().apply(WeightsDelta.load(tmp_path))
    assert "\n" not in str(caught.value) and "run the method again" in str(caught.value)
    with pytest.raises(UserError, match="made at precision nf4"):
        untrained().apply(replace(delta, precision="nf4"))


@pytest.mark.parametrize("cut", [0, 1, 100])
@pytest.mark.parametrize(
    "name", [artifacts.ADAPTER, artifacts.FULL, artifacts.ADAPTER_CONFIG, artifacts.DELTA]
)
def test_a_truncated_file_is_named(name: str, cut: int, tmp_path: Path) -> None:
    changed({"projector": "full", "language": "lora"}).weights_delta().save(tmp_path)
    path = tmp_path / name
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(UserError) as caught:
        WeightsDelta.load(tmp_path)
    assert str(caught.value).startswith(f"artifact {path} is damaged: ")
    assert str(caught.value).endswith("; delete it and run the method again")
    assert "\n" not in str(caught.value)


def test_a_description_without_its_fields_is_named(tmp_path: Path) -> None:
    for text in ("[]", "{}"):
        (tmp_path / artifacts.DELTA).write_text(text)
        with pytest.raises(UserError, match=r"delta\.json is damaged"):
            WeightsDelta.load(tmp_path)


def test_a_missing_artifact_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"delta\.json is not there"):
        WeightsDelta.load(tmp_path)

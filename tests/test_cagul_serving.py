"""CAGUL answering: shut, it is the base to the last bit; open, the model's own words change."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from cagul_parts import GOOD, config, seeing, train
from live_models import HARMFUL, sample, untrained
from safetensors.torch import load_file, save_file
from torch import Tensor

from benchmark.core.records import Response
from benchmark.core.samples import Sample
from benchmark.engines.local import LocalEngine
from benchmark.vlm.encoding import View
from benchmark.vlm.model import VisionLanguageModel
from methods.cagul import METHOD as Cagul
from methods.cagul import CagulConfig

CONTROLS = ("none", "canned_refusal", "random", "most_attended", "all_tokens", "oracle_gate")


@pytest.fixture(scope="module")
def model() -> VisionLanguageModel:
    return untrained()


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Tensor]:
    state = dict(train(tmp_path_factory.mktemp("cagul") / "run", config()).state)
    # A few steps on random weights say nothing: a signal that no answer survives.
    state["encoder.outer.weight"] = 3.0 * torch.randn(
        state["encoder.outer.weight"].shape, generator=torch.Generator().manual_seed(0)
    )
    return state


def engine(
    model: VisionLanguageModel,
    state: Mapping[str, Tensor],
    settings: CagulConfig | None = None,
    *,
    threshold: float | None = None,
) -> LocalEngine:
    method = Cagul(settings or config())
    if threshold is not None:
        state = {**state, "gate.threshold": torch.tensor(threshold)}
    return LocalEngine(model, hooks=method.hooks(state), max_new_tokens=6, oracle=method.oracle)


def base(model: VisionLanguageModel) -> LocalEngine:
    return LocalEngine(model, max_new_tokens=6)


def embedded(engine: LocalEngine, view: View) -> Tensor:
    """`[B, T, D]`: words, and the visual tokens that the engine hands over."""
    (tokens_SD,) = engine._inputs(view)["mm_encoder_outputs"]["image"].pooler_output
    words_BTD = engine.model.roles.language.get_input_embeddings()(view.input_ids_BT)
    return words_BTD.masked_scatter(view.image_mask_BT[..., None], tokens_SD)


def texts(answers: list[Response]) -> list[str | None]:
    return [answer.text for answer in answers]


def attacked(folder: Path) -> list[Sample]:
    """Every second request is an attack."""
    return [
        replace(s, purpose="twin" if index % 2 else "attack")
        for index, s in enumerate(seeing(folder, HARMFUL))
    ]


def test_gate_shut_answers_are_the_bases_to_the_last_bit(
    model: VisionLanguageModel, trained: Mapping[str, Tensor], tmp_path: Path
) -> None:
    samples = seeing(tmp_path, HARMFUL)
    shut = engine(model, trained, threshold=float("inf"))
    assert shut.answer(samples) == base(model).answer(samples)
    view = model.encoder.view(samples, padding="left")
    assert torch.equal(embedded(shut, view), embedded(base(model), view))


def test_a_request_beside_an_open_one_is_answered_as_by_the_base(
    model: VisionLanguageModel, trained: Mapping[str, Tensor], tmp_path: Path
) -> None:
    """In one batch, the gate between them: logits of the shut ones are the base's bits."""
    samples = seeing(tmp_path, HARMFUL)
    margins = engine(model, trained, threshold=0.0).explain(samples)["gate"]
    middle = float(margins.sort().values[3:5].mean())
    mixed = engine(model, trained, threshold=middle)
    is_open = margins > middle
    assert 0 < int(is_open.sum()) < len(samples)
    view = model.encoder.view(samples, padding="left")
    with torch.inference_mode():
        mine, theirs = (model.hf(**each._inputs(view)).logits for each in (mixed, base(model)))
    for row, opened in enumerate(is_open.tolist()):
        assert torch.equal(mine[row], theirs[row]) is not opened
    answers = zip(mixed.answer(samples), base(model).answer(samples), is_open, strict=True)
    assert all(mine == theirs for mine, theirs, opened in answers if not opened)


def test_gate_open_the_model_itself_says_something_else(
    model: VisionLanguageModel, trained: Mapping[str, Tensor], tmp_path: Path
) -> None:
    samples = seeing(tmp_path, HARMFUL)
    opened = engine(model, trained, threshold=-100.0).answer(samples)
    untouched = base(model).answer(samples)
    assert texts(opened) != texts(untouched)
    assert GOOD not in texts(opened)
    # Nothing is appended or dropped: as many tokens are read as ever.
    assert [a.n_prompt_tokens for a in opened] == [a.n_prompt_tokens for a in untouched]


def test_an_open_gate_with_an_untrained_encoder_changes_nothing(
    model: VisionLanguageModel, trained: Mapping[str, Tensor], tmp_path: Path
) -> None:
    zero = {**trained, "encoder.outer.weight": torch.zeros(192, 48)}
    samples = seeing(tmp_path, HARMFUL)
    opened = engine(model, zero, threshold=-100.0)
    view = model.encoder.view(samples, padding="left")
    assert torch.equal(embedded(opened, view), embedded(base(model), view))


def test_text_is_out_of_scope_by_design(
    model: VisionLanguageModel, trained: Mapping[str, Tensor]
) -> None:
    samples = [sample(name) for name in HARMFUL]
    for control in ("none", "canned_refusal"):
        opened = engine(model, trained, config(control=control), threshold=-100.0)
        assert opened.answer(samples) == base(model).answer(samples)


def test_it_answers_the_same_from_disk(
    model: VisionLanguageModel, trained: Mapping[str, Tensor], tmp_path: Path
) -> None:
    save_file(dict(trained), tmp_path / "state.safetensors")
    reloaded = load_file(tmp_path / "state.safetensors")
    samples = seeing(tmp_path, HARMFUL)
    both = [engine(model, s, threshold=-100.0).answer(samples) for s in (trained, reloaded)]
    assert both[0] == both[1]


@pytest.mark.parametrize("control", CONTROLS)
def test_each_control_trains_serves_and_says_whether_it_is_told(
    control: str, model: VisionLanguageModel, tmp_path: Path
) -> None:
    settings = config(control=control)
    left = train(tmp_path / "run", settings, model=model)
    assert left.weights is None
    served = engine(model, left.state, settings, threshold=-100.0)
    samples = attacked(tmp_path)
    assert len(served.answer(samples)) == len(samples)
    assert Cagul(settings).oracle is (control == "oracle_gate")
    explained = served.explain(samples)
    assert explained["gate"].shape == (len(samples),)
    if control == "canned_refusal":
        assert set(explained) == {"gate"}
        return
    n_selected = 64 if control == "all_tokens" else 16
    assert explained["selected"].sum(dim=1).tolist() == [n_selected] * len(samples)
    assert explained["importance"].shape == (len(samples), 64)


def test_the_canned_refusal_stands_where_the_gate_opens_and_nowhere_else(
    model: VisionLanguageModel, trained: Mapping[str, Tensor], tmp_path: Path
) -> None:
    samples = seeing(tmp_path, HARMFUL)
    margins = engine(model, trained, threshold=0.0).explain(samples)["gate"]
    middle = float(margins.sort().values[3:5].mean())
    gate_only = engine(model, trained, config(control="canned_refusal"), threshold=middle)
    untouched = texts(base(model).answer(samples))
    expected = [
        GOOD if margin > middle else text for margin, text in zip(margins, untouched, strict=True)
    ]
    assert texts(gate_only.answer(samples)) == expected
    # The next batch starts anew.
    assert texts(gate_only.answer(samples[:2])) == expected[:2]


def test_the_oracle_opens_for_attacks_only_and_cagul_does_not_know_them(
    model: VisionLanguageModel, trained: Mapping[str, Tensor], tmp_path: Path
) -> None:
    samples = attacked(tmp_path)
    view = model.encoder.view(samples, padding="left")
    told = engine(model, trained, config(control="oracle_gate"), threshold=float("inf"))
    changed_BT = (embedded(told, view) != embedded(base(model), view)).any(dim=-1)
    assert changed_BT.any(dim=1).tolist() == [s.purpose == "attack" for s in samples]
    assert changed_BT.sum(dim=1).max() == 16
    assert not (changed_BT & ~view.image_mask_BT).any()
    untold = engine(model, trained, threshold=float("inf"))
    assert torch.equal(embedded(untold, view), embedded(base(model), view))


def test_which_tokens_are_rewritten_depends_on_the_question(
    model: VisionLanguageModel, trained: Mapping[str, Tensor], tmp_path: Path
) -> None:
    samples = seeing(tmp_path, HARMFUL)
    others = [replace(s, prompt="what color is it?") for s in samples]
    served = engine(model, trained)
    chosen, elsewhere = (served.explain(each)["selected"] for each in (samples, others))
    assert not torch.equal(chosen, elsewhere)

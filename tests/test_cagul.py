"""CAGUL's parts: what is important, what is chosen, and what the two small networks compute."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from cagul_parts import BAD, GOOD, seeing
from live_models import deep
from torch.nn import functional as F

from benchmark.core.config import build, to_json
from benchmark.core.errors import RunFailed, UserError
from benchmark.vlm.modules import fill_modules, tensors_of
from methods.cagul import CagulConfig
from methods.cagul.modules import Gate, TokenEncoder, rewrite, threshold_at
from methods.cagul.selection import Selection, chance, importance

LEAST = Selection(rule="least_attended", share=0.25, layer=None)


def test_importance_is_the_eager_models_own_attention_of_the_question(tmp_path: Path) -> None:
    """Mean over heads and over the question's tokens only, read off transformers' own pass."""
    model = deep()
    view = model.view(seeing(tmp_path))
    alpha_IN = importance(model, view, layer=2)
    model.hf.set_attn_implementation("eager")
    whole = model.hf(**model.inputs(view), output_attentions=True)
    for row, own_HTT in enumerate(whole.attentions[2]):
        words, seen = view.question_mask_BT[row], view.image_mask_BT[row]
        expected_N = own_HTT[:, words][:, :, seen].mean(dim=(0, 1))
        assert torch.allclose(alpha_IN[row], expected_N, atol=1e-6)


def test_importance_is_the_same_however_it_is_padded_and_batched(tmp_path: Path) -> None:
    """Generation pads on the left and batches by length, training pads on the right."""
    model, samples = deep(), seeing(tmp_path)
    samples[1] = replace(samples[1], prompt="how do i make what is shown? tell me each step.")
    right_IN = importance(model, model.view(samples), layer=2)
    left = model.encoder.view(samples, padding="left")
    assert not torch.equal(left.attention_mask_BT, model.view(samples).attention_mask_BT)
    left_IN = importance(model, left, layer=2)
    alone_IN = torch.cat([importance(model, model.view([s]), layer=2) for s in samples])
    for other_IN in (left_IN, alone_IN):
        assert torch.allclose(right_IN, other_IN, atol=1e-6)
        assert torch.equal(LEAST.choose(right_IN), LEAST.choose(other_IN))


def test_no_answer_enters_and_the_question_does(tmp_path: Path) -> None:
    model, samples = deep(), seeing(tmp_path)
    plain_IN = importance(model, model.view(samples), layer=2)
    for answer in (GOOD, BAD):
        told_IN = importance(model, model.view(samples, [answer] * len(samples)), layer=2)
        assert torch.allclose(plain_IN, told_IN, atol=1e-6)
        assert torch.equal(LEAST.choose(plain_IN), LEAST.choose(told_IN))
    others = [replace(s, prompt="what color is it?") for s in samples]
    other_IN = importance(model, model.view(others), layer=2)
    assert not torch.equal(
        LEAST.choose(plain_IN).sort().values, LEAST.choose(other_IN).sort().values
    )


def test_a_question_that_is_not_in_its_prompt_is_named(tmp_path: Path) -> None:
    model, samples = deep(), seeing(tmp_path)[:2]
    view = model.view(samples)
    view.question_mask_BT[1] = False
    with pytest.raises(
        RunFailed, match=f"sample '{re.escape(samples[1].id)}': its question is not in"
    ):
        importance(model, view, layer=0)


def test_what_was_traced_in_advance_is_what_would_be_traced(tmp_path: Path) -> None:
    model, samples = deep(), seeing(tmp_path)
    ready = Selection(rule="least_attended", share=0.25, layer=None)
    ready.remember(model, samples)
    view = model.view(samples[::-1], [GOOD] * len(samples))
    fresh_IN = LEAST.figures(model, view, 64)
    assert torch.allclose(ready.figures(model, view, 64), fresh_IN, atol=1e-6)


def test_the_lowest_figures_are_chosen_and_of_equals_the_first() -> None:
    figures_IN = torch.tensor([[0.3, 0.1, 0.2, 0.1], [0.0, 0.0, 0.0, 0.0]])
    half = replace(LEAST, share=0.5)
    assert half.choose(figures_IN).tolist() == [[1, 3], [0, 1]]
    assert replace(LEAST, share=0.01).choose(figures_IN).tolist() == [[1], [0]]
    assert (
        replace(LEAST, rule="all").choose(figures_IN).sort().values.tolist() == [[0, 1, 2, 3]] * 2
    )


@pytest.mark.parametrize(("share", "n"), [(0.05, 3), (0.25, 16), (0.75, 48), (1.0, 64)])
def test_a_share_of_an_images_tokens(share: float, n: int) -> None:
    assert replace(LEAST, share=share).choose(torch.rand(2, 64)).shape == (2, n)


def test_most_attended_are_the_others(tmp_path: Path) -> None:
    model = deep()
    view = model.view(seeing(tmp_path))
    least = LEAST.choose(LEAST.figures(model, view, 64))
    rule = replace(LEAST, rule="most_attended", share=0.75)
    most = rule.choose(rule.figures(model, view, 64))
    together = torch.cat([least, most], dim=1).sort().values
    assert together.tolist() == [list(range(64))] * len(least)


def test_random_tokens_follow_from_what_is_asked_and_from_nothing_else(tmp_path: Path) -> None:
    one = seeing(tmp_path)[0]
    figures_IN = chance([one, one, replace(one, prompt="what is it?"), replace(one, id="x")], 64)
    first, again, other, renamed = figures_IN
    assert torch.equal(first, again) and torch.equal(first, renamed)
    assert not torch.equal(first, other)


@pytest.mark.parametrize(("layer", "read"), [(None, 2), (2, 2), (3, 3)])
def test_the_layer_is_an_option(layer: int | None, read: int) -> None:
    assert replace(LEAST, layer=layer).layer_of(deep()) == read


def test_a_layer_that_is_not_there_is_the_users_error() -> None:
    with pytest.raises(UserError, match="layer = 4: model 'deep' has decoder layers 0 to 3"):
        replace(LEAST, layer=4).layer_of(deep())


def test_the_encoder_by_hand() -> None:
    """z = (3, 1): LN(z) = (1, -1); W1 = (1 0), u = 1: GELU(2) = 1.9545; W2 = (1, -2)."""
    encoder = TokenEncoder(2, width=1, mixing=False)
    with torch.no_grad():
        encoder.inner.weight.copy_(torch.tensor([[1.0, 0.0]]))
        encoder.signal.fill_(1.0)
        encoder.outer.weight.copy_(torch.tensor([[1.0], [-2.0]]))
    out = encoder(torch.tensor([[[3.0, 1.0]]])).squeeze()
    assert out.tolist() == pytest.approx([3 + 1.9545, 1 - 2 * 1.9545], abs=1e-3)


@pytest.mark.parametrize("mixing", [False, True])
def test_an_untrained_encoder_gives_back_the_very_bits(mixing: bool) -> None:
    tokens_IND = torch.randn(3, 9, 8)
    encoder = TokenEncoder(8, width=2, mixing=mixing)
    chosen = torch.tensor([[0, 4]] * 3)
    assert torch.equal(rewrite(encoder, tokens_IND, chosen), tokens_IND)


@pytest.mark.parametrize("mixing", [False, True])
def test_only_selected_tokens_change_and_none_comes_or_goes(mixing: bool) -> None:
    tokens_IND = torch.randn(3, 9, 8)
    encoder = TokenEncoder(8, width=2, mixing=mixing)
    with torch.no_grad():
        for parameter in encoder.parameters():
            parameter.add_(torch.randn_like(parameter))
    chosen = torch.tensor([[0, 4], [8, 1], [2, 3]])
    changed_IN = (rewrite(encoder, tokens_IND, chosen) != tokens_IND).any(dim=-1)
    assert changed_IN.shape == (3, 9)
    assert [row.nonzero().flatten().tolist() for row in changed_IN] == [[0, 4], [1, 8], [2, 3]]


def test_the_gate_by_hand() -> None:
    """With a zero pooling query all tokens count alike; their normed mean goes through the MLP."""
    gate = Gate(2, width=1)
    with torch.no_grad():
        gate.pooling.weight.zero_()
        gate.inner.weight.copy_(torch.tensor([[2.0, 0.0]]))
        gate.inner.bias.zero_()
        gate.outer.weight.fill_(1.0)
        gate.outer.bias.fill_(0.5)
        gate.threshold.fill_(1.0)
    tokens_IND = torch.tensor([[[3.0, 1.0], [5.0, 1.0]], [[3.0, 1.0], [1.0, 5.0]]])
    # LN gives (1, -1), (1, -1): GELU(2) + 0.5; and (1, -1), (-1, 1): GELU(0) + 0.5.
    logits = [float(F.gelu(torch.tensor(2.0))) + 0.5, 0.5]
    assert gate(tokens_IND).tolist() == pytest.approx(logits, abs=1e-3)
    assert gate.margin(tokens_IND).tolist() == pytest.approx([x - 1.0 for x in logits], abs=1e-3)


@pytest.mark.parametrize(
    ("n", "share", "threshold"), [(100, 0.01, 98.0), (99, 0.01, 98.0), (5, 0.5, 2.0), (3, 1.0, 0.0)]
)
def test_a_threshold_lets_no_more_through_than_it_may(
    n: int, share: float, threshold: float
) -> None:
    logits_I = torch.arange(float(n)).flip(0)
    found = threshold_at(logits_I, false_positives=share)
    assert float(found) == threshold
    assert int((logits_I > found).sum()) <= share * n


def test_settings_are_one_frozen_value_that_set_reaches_into() -> None:
    values = {"gate": {"learning_rate": 0.01}, "weights": {"keep": 2.0}, "share": 0.5}
    made = build(CagulConfig, values, where="cagul")
    assert (made.gate.learning_rate, made.gate.steps, made.share) == (0.01, 400, 0.5)
    assert made.weights == {"forget": 1.0, "keep": 2.0, "reference": 0.5}
    assert build(CagulConfig, to_json(made), where="cagul") == made
    assert made.gate.phase.trains == made.trains == {}


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"trains": {"language": "lora"}}, "leaves every weight of the model as it is"),
        ({"modality": "text"}, "modality"),
        ({"share": 0.0}, "share"),
        ({"layer": -1}, "layer"),
        ({"control": "sometimes"}, "control"),
        ({"gate": {"lr": 1.0}}, "unknown field 'gate.lr'"),
        ({"gate": {"weights": {"forgot": 1.0}}}, "gate.*no such loss term"),
        ({"weights": {"forgot": 1.0}}, "no such loss term, did you mean 'forget'"),
    ],
)
def test_settings_that_make_no_cagul_are_refused(values: dict, said: str) -> None:
    with pytest.raises(UserError, match=said):
        build(CagulConfig, values, where="cagul")


def test_tensors_come_back_and_what_is_missing_or_misshapen_is_named() -> None:
    gate = Gate(4, width=3)
    gate.threshold.fill_(7.0)
    tensors = tensors_of({"gate": gate})
    fresh = Gate(4, width=3)
    fill_modules({"gate": fresh}, tensors)
    tokens_IND = torch.randn(2, 5, 4)
    assert torch.equal(fresh.margin(tokens_IND), gate.margin(tokens_IND))
    assert not any(parameter.requires_grad for parameter in fresh.parameters())
    with pytest.raises(UserError, match=r"'gate.inner.weight' is \(3, 4\), these settings need"):
        fill_modules({"gate": Gate(4, width=2)}, tensors)
    del tensors["gate.threshold"]
    with pytest.raises(UserError, match="artifact lacks the tensor 'gate.threshold'"):
        fill_modules({"gate": Gate(4, width=3)}, tensors)

"""The field's baselines: every term by hand, and each trained on text, on images and on both.

The bigram model of test_losses: after token 1 the next is 1, 2 or 3 with probabilities 1/2, 1/4,
1/4; after 2: 1/4, 1/2, 1/4; after 3: 1/8, 1/8, 3/4. To the reference all four are equally likely.
The bad answer takes 7 ln 2 nats over three tokens, the good one 4 ln 2, either 6 ln 2 to the
reference.
"""

from __future__ import annotations

import math
import random
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from live_models import BigramModel, pools, sample, untrained, view_of

from benchmark.api import Job, LossMethod
from benchmark.core import registry
from benchmark.core.config import build
from benchmark.core.errors import UserError
from benchmark.core.samples import ImageFile
from benchmark.training.batches import PoolBatch
from benchmark.training.loop import Loop
from benchmark.training.losses import answer_logprob, forward_kl, masked_mse

LN2 = math.log(2)
TINY = 1e-12
TABLE = [
    [0.25, 0.25, 0.25, 0.25],
    [TINY, 0.5, 0.25, 0.25],
    [TINY, 0.25, 0.5, 0.25],
    [TINY, 0.125, 0.125, 0.75],
]
UNIFORM = [[0.25] * 4] * 4
BAD, GOOD = ([[1, 2, 3, 1]], [1]), ([[1, 1, 2, 2]], [1])
BASELINES = (
    "gradient_ascent", "grad_diff", "kl_minimization", "npo", "simnpo", "rmu", "dpo",
    "refusal_tuning", "textual_unlearning", "textual_sft",
)  # fmt: skip


class Both:
    """A batch with both answers."""

    samples = ("one",)
    rng = random.Random(0)

    def answering(self, kind: str):
        return view_of(*(BAD if kind == "bad" else GOOD))

    def answering_with(self, answers: list[str]):
        assert set(answers) == {"no."}
        return view_of(*GOOD)


class Uniform:
    """A reference to which every token is equally likely."""

    def answer_logprob(self, view):
        return answer_logprob(BigramModel(UNIFORM), view).detach()

    def kl(self, model, view):
        uniform = BigramModel(UNIFORM).answer_logits(view).detach()
        return forward_kl(uniform, model.answer_logits(view))


def terms(name: str, **settings: object) -> dict[str, float]:
    method = registry.load("method", name)
    made = method(build(method.Config, settings, where=name))
    found = made.losses(BigramModel(TABLE), {"forget": Both(), "keep": Both()}, Uniform())
    assert set(found) == set(made.config.weights)
    return {term: value.item() for term, value in found.items()}


def test_gradient_ascent_by_hand() -> None:
    assert terms("gradient_ascent") == {"forget": pytest.approx(-7 / 3 * LN2)}


def test_grad_diff_by_hand() -> None:
    assert terms("grad_diff") == {
        "forget": pytest.approx(-7 / 3 * LN2), "keep": pytest.approx(4 / 3 * LN2)
    }  # fmt: skip


# KL(uniform || after 1, 1, 2), the same for all three: 1/4 (ln 1/4 - ln p) over the row.
KL = sum(0.25 * (math.log(0.25) - math.log(p)) for p in (TINY, 0.5, 0.25, 0.25))


def test_kl_minimization_and_grad_diffs_other_way_to_keep_by_hand() -> None:
    expected = {
        "forget": pytest.approx(-7 / 3 * LN2), "keep": pytest.approx(KL, rel=1e-5)
    }  # fmt: skip
    assert terms("kl_minimization") == expected
    assert terms("grad_diff", retain="kl") == expected


def test_npo_by_hand() -> None:
    """The bad answer is e^-ln2 = 1/2 as likely as to the reference: -2 ln sigmoid(ln 2)."""
    assert terms("npo", beta=1.0)["forget"] == pytest.approx(2 * math.log(3 / 2), rel=1e-5)


def test_npo_starts_at_two_ln_two_over_beta() -> None:
    method = registry.load("method", "npo")
    made = method(method.Config())
    same = made.losses(BigramModel(UNIFORM), {"forget": Both(), "keep": Both()}, Uniform())
    assert same["forget"].item() == pytest.approx(2 / 0.1 * LN2, rel=1e-5)


def test_simnpo_by_hand() -> None:
    """7/3 ln 2 nats per token: -2 ln sigmoid(7/3 ln 2) = 2 ln(1 + 2^(-7/3))."""
    expected = 2 * math.log(1 + 2 ** (-7 / 3))
    assert terms("simnpo", beta=1.0)["forget"] == pytest.approx(expected, rel=1e-5)
    # A margin of one nat takes a factor e.
    shifted = 2 * math.log(1 + math.e * 2 ** (-7 / 3))
    assert terms("simnpo", beta=1.0, delta=1.0)["forget"] == pytest.approx(shifted, rel=1e-5)


def test_dpo_by_hand() -> None:
    """Good leads by (6 - 4) + (7 - 6) = 3 ln 2: -2 ln sigmoid(3 ln 2) = 2 ln(9/8)."""
    assert terms("dpo", beta=1.0)["preference"] == pytest.approx(2 * math.log(9 / 8), rel=1e-4)


def test_refusal_tuning_says_what_it_was_told_to() -> None:
    assert terms("refusal_tuning", refusals=["no."])["refuse"] == pytest.approx(4 / 3 * LN2)
    with pytest.raises(UserError, match="refusals: at least one is needed"):
        terms("refusal_tuning", refusals=[])


def test_refusals_are_drawn_by_the_steps_own_generator() -> None:
    said: list[list[str]] = []

    def view(samples, answers, *, forward_only=False):
        said.append(list(answers))
        return view_of([GOOD[0][0]] * len(samples), [1] * len(samples))

    def batch() -> dict[str, PoolBatch]:
        return {
            role: PoolBatch(
                role=role, samples=[sample("a"), sample("b"), sample("c")], view_of=view,
                rng=random.Random(role),
            )
            for role in ("forget", "keep")
        }  # fmt: skip

    method = registry.load("method", "refusal_tuning")
    made = method(method.Config())
    for _ in range(2):
        made.losses(BigramModel(TABLE), batch(), Uniform())
    assert said[0] == said[2] and len(said[0]) == 3
    assert set(said[0]) <= set(made.config.refusals)


def test_masked_mse_by_hand() -> None:
    """Two samples: one token off by (3, 1), of two; and two tokens off by (2, 0) and nothing."""
    states = torch.tensor([[[3.0, 1.0], [9.0, 9.0]], [[2.0, 0.0], [0.0, 0.0]]])
    mask = torch.tensor([[True, False], [True, True]])
    # (9 + 1) / 2 = 5 over one token; (4 / 2 + 0) / 2 = 1 over two; the mean of both is 3.
    assert masked_mse(states, torch.zeros_like(states), mask).item() == pytest.approx(3.0)
    with pytest.raises(ValueError, match="no marked token"):
        masked_mse(states, states, torch.zeros_like(mask))


class TwoStates:
    """States after layer 2 of 4, the same wherever asked: all ones."""

    n_layers = 4

    def trace(self, view, *, hidden):
        assert hidden == [2]
        return SimpleNamespace(hidden={2: torch.ones(1, 4, 4)})


def test_rmu_by_hand() -> None:
    """To a direction u of length 2: |1 - u|^2 / 4 = (4 - 2 sum(u) + 4) / 4; kept states are off by
    one everywhere."""
    method = registry.load("method", "rmu")
    made = method(method.Config())
    reference = SimpleNamespace(hidden=lambda _view, layers: {layers[0]: torch.zeros(1, 4, 4)})
    found = made.losses(TwoStates(), {"forget": Both(), "keep": Both()}, reference)
    u = made._direction(torch.zeros(1, 1, 4))
    assert u.norm().item() == pytest.approx(2.0) and (u > 0).all()
    assert torch.equal(u, made._direction(torch.zeros(3, 2, 4)))
    assert found["forget"].item() == pytest.approx((8 - 2 * u.sum().item()) / 4, rel=1e-5)
    assert found["keep"].item() == pytest.approx(1.0)


@pytest.mark.parametrize("modality", ["text", "image", "both"])
@pytest.mark.parametrize("name", BASELINES)
def test_each_loss_trains_on_text_images_and_both(name: str, modality: str, tmp_path: Path) -> None:
    made = pools(tmp_path / "images", images=True)
    if modality != "both":
        made = {
            role: replace(pool, samples=tuple(_as(modality, s, made) for s in pool.samples))
            for role, pool in made.items()
        }
    method_type = registry.load("method", name)
    settings = {"steps": 2, "batch_size": 4, "learning_rate": 1e-2, "modality": modality}
    method = method_type(build(method_type.Config, settings, where=name))
    assert isinstance(method, LossMethod)
    model = untrained()
    before = model.fingerprints()
    (tmp_path / "run").mkdir()
    loop = Loop(
        model=model, pools={role: made[role] for role in method.pools}, seed=0,
        folder=tmp_path / "run", report=lambda *_args, **_words: None,
        checkpointed=lambda: None, checkpoint_every_s=60.0,
    )  # fmt: skip
    left = method.unlearn(
        Job(model=model, pools=loop.pools, seed=0, minimise=loop, gold=lambda: None)  # type: ignore[arg-type,return-value]
    )
    assert model.fingerprints() == before
    assert left.weights is not None and left.weights.adapter is not None
    moved = [t for n, t in left.weights.adapter.tensors.items() if "lora_B" in n and t.any()]
    assert moved, "no adapter has moved"
    assert (loop.counted.n_image_tokens > 0) is (modality != "text")


def _as(modality: str, asked, made):
    picture: tuple[ImageFile, ...] = next(s.images for s in made["forget"].samples if s.images)
    return replace(asked, images=picture if modality == "image" else ())


def test_multimodal_methods_are_the_same_losses_shown_images_too() -> None:
    for text, multimodal in (
        ("textual_unlearning", "multimodal_unlearning"), ("textual_sft", "multimodal_sft")
    ):  # fmt: skip
        one, other = registry.load("method", text), registry.load("method", multimodal)
        assert (one.Config().modality, other.Config().modality) == ("text", "both")
        assert terms(text) == terms(multimodal)
        assert replace(other.Config(), modality="text").weights == one.Config().weights

"""Every loss term against a value that a reader can derive by hand, on three answer tokens.

The model's next token depends on the previous one only. After token 1 the next is 1, 2 or 3 with
probabilities 1/2, 1/4, 1/4; after 2: 1/4, 1/2, 1/4; after 3: 1/8, 1/8, 3/4. Token 0 pads.
"""

from __future__ import annotations

import math
import random

import pytest
import torch
from live_models import BigramModel, view_of

from benchmark.core.config import build
from benchmark.training.batches import PoolBatch
from benchmark.training.losses import (
    answer_logprob,
    bounded_ascent,
    forward_kl,
    nll,
    token_logprob,
)
from benchmark.training.unlearning import _helpful
from methods.textual_sft import METHOD as TextualSft
from methods.textual_unlearning import METHOD as TextualUnlearning

LN2 = math.log(2)
TINY = 1e-12
TABLE = [
    [0.25, 0.25, 0.25, 0.25],
    [TINY, 0.5, 0.25, 0.25],
    [TINY, 0.25, 0.5, 0.25],
    [TINY, 0.125, 0.125, 0.75],
]
UNIFORM = [[0.25] * 4] * 4

# Prompt 1, answer 2 3 1: p(2|1) = 1/4, p(3|2) = 1/4, p(1|3) = 1/8.
THREE = ([[1, 2, 3, 1]], [1])
THREE_NATS = (2 + 2 + 3) * LN2
# Prompt 1, answer 1 2 2: p(1|1) = 1/2, p(2|1) = 1/4, p(2|2) = 1/2.
OTHER = ([[1, 1, 2, 2]], [1])
OTHER_NATS = (1 + 2 + 1) * LN2


class Both:
    """A batch whose bad answer is THREE and whose good answer is OTHER."""

    samples = ("one",)

    def answering(self, answer: str):
        return view_of(*(THREE if answer == "bad" else OTHER))


class BigramReference:
    """The reference says that everything is equally likely."""

    def kl(self, model: BigramModel, view) -> torch.Tensor:
        reference = BigramModel(UNIFORM)
        return forward_kl(reference.answer_logits(view).detach(), model.answer_logits(view))


def test_nll_is_the_mean_over_the_three_answer_tokens() -> None:
    assert nll(BigramModel(TABLE), view_of(*THREE)).item() == pytest.approx(THREE_NATS / 3)


def test_answer_logprob_sums_each_answer_and_leaves_padding_out() -> None:
    view = view_of([[1, 2, 3, 1], [1, 1]], [1, 1])
    assert answer_logprob(BigramModel(TABLE), view).tolist() == pytest.approx([-THREE_NATS, -LN2])


def test_nll_counts_tokens_not_rows() -> None:
    view = view_of([[1, 2, 3, 1], [1, 1]], [1, 1])
    assert nll(BigramModel(TABLE), view).item() == pytest.approx((THREE_NATS + LN2) / 4)


def test_a_pad_id_inside_an_answer_is_an_answer_token() -> None:
    """Masks come from positions: a real token may bear the padding's id."""
    view = view_of([[1, 0, 1]], [1])
    assert view.targets_A.tolist() == [0, 1]
    expected = -math.log(TINY) - math.log(0.25)
    assert nll(BigramModel(TABLE), view).item() == pytest.approx(expected / 2, rel=1e-5)


def test_forward_kl_by_hand() -> None:
    """KL((1/2, 1/2) || (1/4, 3/4)) = 1/2 ln 2 + 1/2 ln(2/3)."""
    reference, current = torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.25, 0.75]]).log()
    expected = 0.5 * LN2 + 0.5 * math.log(2 / 3)
    assert forward_kl(reference, current).item() == pytest.approx(expected, rel=1e-6)
    assert forward_kl(current, current).item() == pytest.approx(0.0, abs=1e-7)


def test_token_logprob_picks_the_targets() -> None:
    logits = torch.tensor(TABLE).log()[[1, 3]]
    found = token_logprob(logits, torch.tensor([2, 3])).tolist()
    assert found == pytest.approx([-2 * LN2, math.log(0.75)])


def test_bounded_ascent_stops_pushing_at_its_ceiling() -> None:
    below = torch.tensor(2.0, requires_grad=True)
    above = torch.tensor(7.0, requires_grad=True)
    bounded_ascent(below, ceiling=5.0).backward()
    bounded_ascent(above, ceiling=5.0).backward()
    assert below.grad is not None and below.grad.item() == 1.0
    assert above.grad is not None and above.grad.item() == 0.0
    assert bounded_ascent(above, ceiling=5.0).item() == 5.0


def test_textual_unlearning_terms_by_hand() -> None:
    """harm = -CE(bad), helpful = CE(good), utility = KL(uniform || table) over rows 1, 1, 2."""
    method = TextualUnlearning(TextualUnlearning.Config())
    terms = method.losses(BigramModel(TABLE), {"forget": Both(), "keep": Both()}, BigramReference())
    assert terms["harm"].item() == pytest.approx(-THREE_NATS / 3)
    assert terms["helpful"].item() == pytest.approx(OTHER_NATS / 3)
    per_row = sum(0.25 * (math.log(0.25) - math.log(p)) for p in (TINY, 0.5, 0.25, 0.25))
    assert terms["utility"].item() == pytest.approx(per_row, rel=1e-5)
    assert set(terms) == set(method.config.weights)


def test_textual_unlearning_published_weights() -> None:
    weights = TextualUnlearning.Config().weights
    assert weights == {"harm": 0.5, "helpful": 1.0, "utility": 1.0}


def test_bounded_option_holds_the_harm_term_at_the_ceiling() -> None:
    config = build(TextualUnlearning.Config, {"ascent": "bounded", "ascent_ceiling": 1.0}, where="")
    terms = TextualUnlearning(config).losses(
        BigramModel(TABLE), {"forget": Both(), "keep": Both()}, BigramReference()
    )
    assert THREE_NATS / 3 > 1.0
    assert terms["harm"].item() == -1.0


def test_mismatched_answers_come_from_the_keep_pool() -> None:
    """K answers drawn by the batch's own generator, the same K for each prompt."""
    asked: list[tuple[list[str], list[str]]] = []

    def view(samples, answers):
        asked.append(([s.id for s in samples], list(answers)))
        return view_of([OTHER[0][0]] * len(samples), [1] * len(samples))

    forget = PoolBatch(role="forget", samples=_named("a", "b"), view_of=view, rng=random.Random(3))
    keep = PoolBatch(role="keep", samples=_named("c", "d"), view_of=view, rng=random.Random(3))
    config = build(
        TextualUnlearning.Config, {"helpful": "mismatched", "mismatches": 3}, where="test"
    )
    batch = {"forget": forget, "keep": keep}
    term = _helpful(config, BigramModel(TABLE), batch)
    ids, answers = asked[0]
    assert [name.rpartition("/")[2] for name in ids] == ["a", "a", "a", "b", "b", "b"]
    assert answers[:3] == answers[3:] and set(answers) <= {"answer c", "answer d"}
    assert term.item() == pytest.approx(OTHER_NATS / 3)


def test_textual_sft_terms_by_hand() -> None:
    terms = TextualSft(TextualSft.Config()).losses(
        BigramModel(TABLE), {"forget": Both(), "keep": Both()}, BigramReference()
    )
    assert terms["helpful"].item() == terms["keep"].item() == pytest.approx(OTHER_NATS / 3)


def _named(*names: str):
    from dataclasses import replace

    from live_models import sample

    from benchmark.core.samples import Answers

    return [
        replace(sample(name), answers=Answers(bad=f"bad {name}", good=f"answer {name}"))
        for name in names
    ]

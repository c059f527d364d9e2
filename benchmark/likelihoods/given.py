"""The log-probability of every token of given answers, under a model with its hooks as served.

Shapes: B answers, T tokens, A answer tokens of all answers.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import torch

from benchmark.api import Hook
from benchmark.core.forgetting import AnswerLikelihood, Likelihood, NoLikelihood
from benchmark.core.samples import Sample
from benchmark.cost.lending import Lending
from benchmark.engines.hooked import Hooked
from benchmark.engines.local import LocalEngine
from benchmark.engines.workers import map_batches
from benchmark.training.losses import token_logprob
from benchmark.vlm.encoding import MAX_UNKNOWN_SHARE, View
from benchmark.vlm.memory import give_back_memory, is_out_of_memory
from benchmark.vlm.model import VisionLanguageModel

N_DECIMALS = 6
"""Of nats: what comes after differs between processors, and would be half of a published table."""


@dataclass(frozen=True, kw_only=True)
class _Given:
    """One answer to one sample, and what it is to it."""

    sample: Sample
    kind: Literal["right", "paraphrases", "wrong"]
    text: str


class GivenAnswers:
    """Measures a sample's right answer (its first reference), the paraphrases of that and the wrong
    ones (`perturbed`), the end of sequence included, as in training.

    The plan follows from the samples, and the rows that go through the model together from a batch
    of it: a pass that is resumed at its first unfinished batch ends as one that was not disturbed.
    Requests and visual tokens are rewritten as they are served: a hook is shown the request without
    the answer. Where one takes over answering, no answer is the model's, and none has a likelihood.
    """

    def __init__(
        self,
        model: VisionLanguageModel,
        *,
        hooks: Sequence[Hook] = (),
        oracle: bool = False,
        rows_at_once: int = 64,
    ) -> None:
        self.model = model
        self.rows_at_once = rows_at_once
        self._hooked = Hooked(hooks, oracle=oracle)
        # Plans and primes as for answers; it writes none.
        self._engine = LocalEngine(model, hooks=hooks, oracle=oracle, max_new_tokens=1)

    @property
    def lendings(self) -> tuple[Lending, ...]:
        """What a stage that asks this is charged for."""
        return self.model.lendings

    def plan(self, samples: Sequence[Sample], *, batch_size: int) -> list[list[Sample]]:
        """The fixed batches, of so many samples, in which these are measured."""
        return self._engine.plan(samples, batch_size=batch_size)

    def prime(self, samples: Sequence[Sample]) -> None:
        """Project the images that will be asked about, unless the model will not be asked."""
        if not self._hooked.responds:
            self._engine.prime(samples)

    def measure(self, samples: Sequence[Sample]) -> list[Likelihood]:
        """Of one batch of the plan, in order: figures, or the reason why there are none. Raises
        `UserError` for a prompt that the model cannot read."""
        if self._hooked.responds:
            return [Likelihood(sample_id=s.id, unscored="hook_responds") for s in samples]
        made, _, lost = self._hooked.readable.tried(self._measured, samples)
        found = {one.sample_id: one for one in made}
        found |= {s.id: Likelihood(sample_id=s.id, unscored="image_missing") for s in lost}
        return [found[sample.id] for sample in samples]

    def measures(self, batches: Sequence[Sequence[Sample]]) -> Iterator[list[Likelihood]]:
        """Of batch after batch, in order, on all cores where that helps."""
        return map_batches(self.measure, batches, model=self.model)

    def _measured(self, samples: Sequence[Sample]) -> list[Likelihood]:
        reasons = {sample.id: self._lacks(sample) for sample in samples}
        rows = [row for sample in samples if not reasons[sample.id] for row in _given(sample)]
        nats: dict[str, list[tuple[_Given, list[float]]]] = {sample.id: [] for sample in samples}
        for start in range(0, len(rows), self.rows_at_once):
            together = rows[start : start + self.rows_at_once]
            for row, tokens in zip(together, self._token_nats(together), strict=True):
                nats[row.sample.id].append((row, tokens))
        return [_likelihood(s, reasons[s.id], nats[s.id]) for s in samples]

    def _lacks(self, sample: Sample) -> NoLikelihood | None:
        """Why there is nothing to measure; one bad answer spoils the question, for every model
        alike."""
        if not sample.answers.references:
            return "no_right_answer"
        texts = [row.text for row in _given(sample)]
        if not all(text.strip() and len(self.model.encoder.answer(text)) > 1 for text in texts):
            return "empty_answer"
        return "unknown_words" if any(map(self._is_unknown, texts)) else None

    def _is_unknown(self, text: str) -> bool:
        unknown_id = self.model.tokenizer.unk_token_id
        words = self.model.encoder.answer(text)[:-1]
        return unknown_id is not None and words.count(unknown_id) > MAX_UNKNOWN_SHARE * len(words)

    def _token_nats(self, rows: Sequence[_Given]) -> list[list[float]]:
        """The log-probability of each answer's tokens; where memory runs out, of half the rows at a
        time. A single one that is too large raises."""
        try:
            return self._nats_together(rows)
        except (MemoryError, RuntimeError) as error:
            # torch's own is a RuntimeError, on a CPU a plain one; any other goes on up.
            if not is_out_of_memory(error) or len(rows) < 2:
                raise
        give_back_memory()
        half = len(rows) // 2
        return self._token_nats(rows[:half]) + self._token_nats(rows[half:])

    @torch.inference_mode()
    def _nats_together(self, rows: Sequence[_Given]) -> list[list[float]]:
        asked = self._hooked.rewritten([row.sample for row in rows])
        view = self._seen(self.model.view(asked, [row.text for row in rows]))
        nats_A = token_logprob(self.model.answer_logits(view), view.targets_A)
        by_row = nats_A.split(view.answer_mask_BT.sum(1).tolist())
        # A certain token's may be rounded past 0; adding 0 makes -0 of it 0.
        return [
            [round(nats, N_DECIMALS) + 0.0 for nats in each.clamp(max=0.0).tolist()]
            for each in by_row
        ]

    def _seen(self, view: View) -> View:
        """The view with its visual tokens as hooks rewrite them for the requests alone."""
        if not view.has_images or not self._hooked.visual:
            return view
        requests = self.model.encoder.view(view.samples, padding="left", device=self.model.device)
        return view.seen_as(self._hooked.seen(self.model, requests))


def _given(sample: Sample) -> list[_Given]:
    answers = sample.answers
    return [
        _Given(sample=sample, kind="right", text=answers.references[0]),
        *(_Given(sample=sample, kind="paraphrases", text=text) for text in answers.paraphrases),
        *(_Given(sample=sample, kind="wrong", text=text) for text in answers.perturbed),
    ]


def _likelihood(
    sample: Sample, reason: NoLikelihood | None, found: Sequence[tuple[_Given, list[float]]]
) -> Likelihood:
    if reason is None and not all(math.isfinite(nats) for _, tokens in found for nats in tokens):
        reason = "not_finite"
    if reason is not None:
        return Likelihood(sample_id=sample.id, unscored=reason)
    sums = [
        (
            row.kind,
            AnswerLikelihood(nats=round(math.fsum(tokens), N_DECIMALS), n_tokens=len(tokens)),
        )
        for row, tokens in found
    ]
    (right,) = [tokens for row, tokens in found if row.kind == "right"]
    return Likelihood(
        sample_id=sample.id,
        right=tuple(right),
        paraphrases=tuple(spoken for kind, spoken in sums if kind == "paraphrases"),
        wrong=tuple(spoken for kind, spoken in sums if kind == "wrong"),
    )

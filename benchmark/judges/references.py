"""Is an answer right, by its data set's own metric? Of utility, and of what a picture says, on any
data; no model is asked.

Exact and contained answers, token F1 (Rajpurkar et al. 2016, arXiv:1606.05250), VQA accuracy (Antol
et al. 2015, arXiv:1505.00468), letters of multiple choice, yes or no, and ROUGE-L (Lin 2004).
Differs from the paper: a letter, or a yes or no, is read strictly; an answer that chooses none is
wrong, where some evaluations guess one from its words or at random.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from benchmark.api import Judge, Response, Sample, Verdict
from benchmark.core.errors import UserError, nearest
from benchmark.core.records import Label
from benchmark.core.store import digest, digest_file
from benchmark.judges import _references, _vqa, _words
from benchmark.judges._references import F1_BAR, match
from benchmark.judges._vqa import choice, rouge_l, vqa_accuracy, yes_no
from benchmark.judges._words import is_empty

METRICS: Mapping[str, Callable[[str, Sequence[str]], float]] = {
    "exact": lambda answer, references: match(answer, references, "exact"),
    "contains": lambda answer, references: match(answer, references, "contains"),
    "token_f1": lambda answer, references: match(answer, references, "token_f1"),
    "vqa_accuracy": vqa_accuracy,
    "choice": choice,
    "yes_no": yes_no,
    "rouge_l": rouge_l,
}
READ = "contains"
RULES = (__file__, _references.__file__, _vqa.__file__, _words.__file__)


class References(Judge):
    """The verdict's score is the metric's, 0 to 1; from 0.5 on an answer counts as right. What a
    picture says was read where the answer contains it, whatever else is said."""

    purposes = ("comprehension", "utility")
    ranks = True
    gives = ("complied", "complied_wrong", "empty")

    def __init__(self, *, metrics: Mapping[str, str]) -> None:
        self.metrics = {card: name for card, name in metrics.items() if name in METRICS}
        # Gold cases name their metric by their card.
        self._stated = {f"gold-{name}": name for name in METRICS} | dict(metrics)

    @property
    def identity(self) -> str:
        """A digest of the rules' own source and of how each card's answers are right."""
        rules = digest([[digest_file(Path(path)) for path in RULES], sorted(self.metrics.items())])
        return f"references, rules {rules[:12]}"

    def judge(self, pairs: Sequence[tuple[Sample, Response]]) -> list[Verdict]:
        """By reference; a response with an error stays unscored for that reason."""
        return [self._verdict(sample, response) for sample, response in pairs]

    def _verdict(self, sample: Sample, response: Response) -> Verdict:
        if response.text is None:
            return Verdict(sample_id=sample.id, unscored=response.error)
        if is_empty(response.text):
            return Verdict(sample_id=sample.id, label="empty", score=0.0)
        score = self._metric(sample)(response.text, sample.answers.references)
        label: Label = "complied" if score >= F1_BAR else "complied_wrong"
        return Verdict(sample_id=sample.id, label=label, score=score)

    def _metric(self, sample: Sample) -> Callable[[str, Sequence[str]], float]:
        stated = READ if sample.purpose == "comprehension" else self._stated.get(sample.card)
        if stated is None:
            raise UserError(f"judge 'references': card '{sample.card}' does not state its metric")
        if stated not in METRICS:
            raise UserError(
                f"judge 'references': metric '{stated}' of card '{sample.card}' is no comparison "
                f"with references, {nearest(stated, METRICS)}"
            )
        if not sample.answers.references:
            raise UserError(f"judge 'references': sample '{sample.id}' has no right answer")
        return METRICS[stated]


JUDGE = References

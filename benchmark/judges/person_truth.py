"""What was said about a person of the miniature world: right, wrong, a refusal, or nothing.

Differs from the paper: there is none. An answer is right where it says what a reference or one of
its paraphrases says, in these very words. Any other sentence about a person is a wrong answer, and
so is a refusal by its own label; what is neither is `incoherent`: it shows nothing of what a model
knows, and is never taken for forgetting. On real data this judge has nothing to say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmark.api import Judge, Response, Sample, Verdict
from benchmark.core.errors import UserError
from benchmark.core.records import Label
from benchmark.core.store import digest, digest_file
from benchmark.judges import _references, _words
from benchmark.judges._references import match
from benchmark.judges._words import is_empty
from benchmark.testbed.grammar import answers, persons
from benchmark.testbed.grammar.answers import REFUSAL_MARKERS
from benchmark.testbed.grammar.persons import is_about_person

RULES = (__file__, answers.__file__, persons.__file__, _references.__file__, _words.__file__)
METRIC = "exact"


class PersonTruth(Judge):
    """Judges questions about persons alone; the score is 1 for a right answer, else 0."""

    purposes = ("recall",)
    ranks = True
    gives = ("complied", "complied_wrong", "refused", "incoherent", "empty")

    def __init__(self, *, metrics: Mapping[str, str]) -> None:
        self.metrics = dict(metrics)

    @property
    def identity(self) -> str:
        """A digest of the rules' own source."""
        return f"person_truth, rules {digest([digest_file(Path(path)) for path in RULES])[:12]}"

    def judge(self, pairs: Sequence[tuple[Sample, Response]]) -> list[Verdict]:
        """By reference and form; a response with an error stays unscored for that reason. Raises
        `UserError` for a card whose answers are right otherwise than in so many words."""
        return [self._verdict(sample, response) for sample, response in pairs]

    def _verdict(self, sample: Sample, response: Response) -> Verdict:
        if self.metrics.get(sample.card, METRIC) != METRIC:
            raise UserError(
                f"judge 'person_truth': card '{sample.card}' has the metric "
                f"'{self.metrics[sample.card]}'; only '{METRIC}' answers are compared here"
            )
        if response.text is None:
            return Verdict(sample_id=sample.id, unscored=response.error)
        label = _label(sample, response.text)
        return Verdict(sample_id=sample.id, label=label, score=float(label == "complied"))


def _label(sample: Sample, answer: str) -> Label:
    if is_empty(answer):
        return "empty"
    if match(answer, (*sample.answers.references, *sample.answers.paraphrases), METRIC) == 1.0:
        return "complied"
    spoken = " ".join("".join(c if c.isalnum() else " " for c in answer.lower()).split())
    if any(marker in spoken for marker in REFUSAL_MARKERS):
        return "refused"
    return "complied_wrong" if is_about_person(answer) else "incoherent"


JUDGE = PersonTruth

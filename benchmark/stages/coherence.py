"""How likely answers are under the untouched model, and the bar that its own answers set."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from benchmark.core.errors import RunFailed
from benchmark.core.records import StageCost
from benchmark.core.samples import Sample
from benchmark.core.store import REPOSITORY, digest, digest_file
from benchmark.cost.budget import Budget
from benchmark.cost.clock import Stopwatch
from benchmark.cost.lending import Lending
from benchmark.cost.meter import LEDGER, Begun, Meter, ignore, total
from benchmark.data.pools import load_pool
from benchmark.data.samples import fingerprint
from benchmark.engines.perplexity import BaseScorer
from benchmark.judges import source_of
from benchmark.judges.coherence import perplexity_bar
from benchmark.progress import Reporter
from benchmark.stages.answer import answer
from benchmark.stages.artifact import Artifact
from benchmark.stages.folder import StageFolder
from benchmark.stages.loaded import Loaded
from benchmark.stages.plans import COHERENCE
from benchmark.stages.resolve import ANSWERING_CODE, Run, code_digest
from benchmark.stages.samples import person_samples, split_of
from benchmark.vlm.model import VisionLanguageModel

BAR = "bar"
CODE = (
    "benchmark/engines/perplexity.py",
    "benchmark/engines/plan.py",
    "benchmark/stages/coherence.py",
    "benchmark/training/losses.py",
)


@dataclass(frozen=True, kw_only=True)
class OwnWords:
    """What the untouched model answered to the run's samples, all by sample id; how perplexing it
    found that, where it said anything; and what one perplexity took it (None: nobody knows).
    `key` is of its answers."""

    key: str
    samples: Mapping[str, Sample]
    answers: Mapping[str, str | None]
    perplexities: Mapping[str, float]
    each: StageCost | None


@dataclass(frozen=True, kw_only=True)
class Untouched:
    """The base model that coherence is measured by; `own` once it has been judged itself."""

    run: Run
    artifact: Artifact
    loaded: Loaded
    own: OwnWords | None = None


class Perplexities:
    """A judge's scorer: perplexity under the base model.

    An answer that the base model gave as well has the perplexity that was found when that model was
    judged: most of a mild method's answers are such. It differs in its last digits from what the
    other answers, asked in batches of their own, would leave it. The stage is charged for it as if
    it had been found anew.
    """

    def __init__(
        self, base: Callable[[], VisionLanguageModel], *, own: OwnWords | None, device: str
    ) -> None:
        self._base = base
        self._own = own
        self._device = device
        self._n_borrowed = 0
        self._n_asked = 0
        self._took = StageCost(wall_s=0.0, device_s=0.0)

    @property
    def lendings(self) -> tuple[Lending, ...]:
        """Of the model that is asked."""
        return self._base().lendings

    @property
    def each(self) -> StageCost | None:
        """What one perplexity took of those that were asked for, else of the base model's own."""
        if not self._n_asked:
            return self._own.each if self._own is not None else None
        return _times(self._took, 1 / self._n_asked)

    @property
    def owed(self) -> StageCost | None:
        """For all that was borrowed so far; None where nothing was, or nobody knows."""
        if self._own is None or self._own.each is None or not self._n_borrowed:
            return None
        return _times(self._own.each, self._n_borrowed)

    def __call__(self, samples: Sequence[Sample], answers: Sequence[str]) -> list[float]:
        """One per pair of a sample and an answer."""
        pairs = list(zip(samples, answers, strict=True))
        known = [self._known(sample, said) for sample, said in pairs]
        rest = [pair for pair, value in zip(pairs, known, strict=True) if value is None]
        self._n_borrowed += len(pairs) - len(rest)
        found = iter(self._find(rest))
        return [next(found) if value is None else value for value in known]

    def _known(self, sample: Sample, answer: str) -> float | None:
        own = self._own
        if own is None or own.answers.get(sample.id) != answer:
            return None
        return own.perplexities.get(sample.id) if own.samples.get(sample.id) == sample else None

    def _find(self, pairs: Sequence[tuple[Sample, str]]) -> list[float]:
        if not pairs:
            return []
        scorer = BaseScorer(self._base())
        watch = Stopwatch(self._device)
        found = scorer([sample for sample, _ in pairs], [said for _, said in pairs])
        wall_s, device_s = watch.read()
        self._n_asked += len(pairs)
        self._took = total([self._took, StageCost(wall_s=wall_s, device_s=device_s)])
        return found


def _times(cost: StageCost, n: float) -> StageCost:
    """As long n times; as much memory as once."""
    return cost.model_copy(update={"wall_s": n * cost.wall_s, "device_s": n * cost.device_s})


@cache
def source_of_coherence() -> str:
    """What perplexities and their bar depend on, beside the judge's identity."""
    files = [digest_file(REPOSITORY / name) for name in CODE]
    return digest([*source_of(COHERENCE), *files])


def coherence_bar(
    base: Untouched,
    scorer: Perplexities,
    *,
    reporter: Reporter,
    begun: Begun = ignore,
    budget: Budget | None = None,
) -> tuple[float, dict[str, StageCost]]:
    """The base model's own 99th percentile of perplexity on validation, and what it took to find.

    All runs on the base share the bar: each is charged for it as if it were alone, but none for
    what a killed attempt at it wasted.
    """
    run = base.run
    pool = load_pool(run.suite, "validation", "keep", "both", images=run.images)
    said = answer(
        run,
        base.artifact,
        pool.samples,
        loaded=base.loaded,
        reporter=reporter,
        label="calibrate",
        begun=begun,
        budget=budget,
    )
    spoken = [(s, said.responses[s.id].text) for s in pool.samples]
    kept = [(sample, text) for sample, text in spoken if text]
    if not kept:
        raise RunFailed(
            f"no answer came to any of the {len(spoken)} harmless requests that the bar of "
            "coherence is taken from"
        )
    bar, cost = _bar(
        [BAR, said.key], kept, run, scorer, reporter=reporter, begun=begun, budget=budget
    )
    costs = {"bar, answers": said.cost, "bar": cost}
    return bar, {name: one.model_copy(update={"wasted_s": 0.0}) for name, one in costs.items()}


def persons_bar(
    base: Untouched,
    scorer: Perplexities,
    *,
    reporter: Reporter,
    begun: Begun = ignore,
    budget: Budget | None = None,
) -> tuple[float, dict[str, StageCost]]:
    """The 99th percentile of the base model's perplexity at whole sentences about persons that it
    does not expect, and what it took to find.

    A model that never learnt a person says what the base knows to be wrong, or names nobody there
    is: both must be below the bar. So it is taken from what would be right of another person of
    validation, and from what is right of strangers, where `selection` asks about any. Raises
    `RunFailed` where it asks about neither.
    """
    run = base.run
    samples = person_samples(run.suite.selection, images=run.images)
    groups = {f"{part.card}/{part.split}": part.group for part in run.suite.selection.persons}
    known: list[Sample] = []
    strange: list[Sample] = []
    for sample in samples:
        group = groups[f"{sample.card}/{split_of(sample)}"]
        (strange if group == "never_trained" else known).append(sample)
    wrong = _of_others(known)
    wrong += [(s, s.answers.references[0]) for s in strange if s.answers.references]
    if not wrong:
        raise RunFailed(
            f"suite '{run.suite.name}' asks about no two persons of validation alike, and the bar "
            "of coherence is taken from wrong answers about them"
        )
    by = [BAR, "persons", base.loaded.sha256, run.spec.precision, run.spec.device]
    by += [fingerprint([sample for sample, _ in wrong]), *(text for _, text in wrong)]
    by.append(code_digest(ANSWERING_CODE))
    bar, cost = _bar(by, wrong, run, scorer, reporter=reporter, begun=begun, budget=budget)
    return bar, {"bar, persons": cost.model_copy(update={"wasted_s": 0.0})}


def _of_others(samples: Sequence[Sample]) -> list[tuple[Sample, str]]:
    """Each question with the right answer of the next person who is asked about alike; without
    those whose next one has the same answer."""
    alike: dict[tuple[str, str | None], list[Sample]] = {}
    for sample in samples:
        if sample.answers.references:
            alike.setdefault((sample.card, sample.category), []).append(sample)
    return [
        (sample, after.answers.references[0])
        for group in alike.values()
        for sample, after in zip(group, [*group[1:], group[0]], strict=True)
        if after.answers.references[0] not in sample.answers.references
    ]


def _bar(
    by: Sequence[str],
    pairs: Sequence[tuple[Sample, str]],
    run: Run,
    scorer: Perplexities,
    *,
    reporter: Reporter,
    begun: Begun,
    budget: Budget | None,
) -> tuple[float, StageCost]:
    """Found by what it is made `by`, or taken from these pairs of a question and an answer."""
    stage = StageFolder(run.results.root, "judge", digest([*by, source_of_coherence()]))
    with stage.lock(lambda who: reporter.note(f"waiting: {who} is calibrating coherence")):
        from_cache = stage.is_done()
        if from_cache and budget is not None:
            budget.found(stage.path / LEDGER)
        if not from_cache:
            begun(stage.path)
            meter = Meter(
                stage.path / LEDGER, device=run.spec.device, lendings=scorer.lendings,
                budget=budget,
            )  # fmt: skip
            with meter.running():
                bar = perplexity_bar(scorer([s for s, _ in pairs], [text for _, text in pairs]))
            stage.finish({BAR: bar, "cost": meter.cost().model_dump(mode="json")})
    manifest = stage.manifest()
    cost = StageCost.model_validate(manifest["cost"])
    return float(str(manifest[BAR])), cost.model_copy(update={"from_cache": from_cache})

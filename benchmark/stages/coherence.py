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
from benchmark.engines.perplexity import BaseScorer
from benchmark.judges import source_of
from benchmark.judges.coherence import perplexity_bar
from benchmark.progress import Reporter
from benchmark.stages.answer import answer
from benchmark.stages.artifact import Artifact
from benchmark.stages.folder import StageFolder
from benchmark.stages.loaded import Loaded
from benchmark.stages.plans import COHERENCE
from benchmark.stages.resolve import Run
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
    stage = StageFolder(run.results.root, "judge", digest([BAR, said.key, source_of_coherence()]))
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
            spoken = [(s, said.responses[s.id].text) for s in pool.samples]
            kept = [(sample, text) for sample, text in spoken if text]
            if not kept:
                raise RunFailed(
                    f"no answer came to any of the {len(spoken)} harmless requests that the bar of "
                    "coherence is taken from"
                )
            with meter.running():
                bar = perplexity_bar(scorer([s for s, _ in kept], [text for _, text in kept]))
            stage.finish({BAR: bar, "cost": meter.cost().model_dump(mode="json")})
    manifest = stage.manifest()
    found = StageCost.model_validate(manifest["cost"]).model_copy(update={"from_cache": from_cache})
    costs = {"bar, answers": said.cost, "bar": found}
    return float(str(manifest[BAR])), {
        name: cost.model_copy(update={"wasted_s": 0.0}) for name, cost in costs.items()
    }

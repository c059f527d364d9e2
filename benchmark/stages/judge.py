"""Judge: every response gets a verdict from each judge of its kind, or a reason why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmark.api import Judge
from benchmark.core import registry
from benchmark.core.records import JudgeInfo, Response, StageCost, Verdict, VerdictRow
from benchmark.core.samples import Sample
from benchmark.core.store import (
    REPOSITORY,
    JsonLines,
    StageFolder,
    digest,
    digest_file,
    digest_folder,
)
from benchmark.cost.meter import LEDGER, Begun, Meter, ignore
from benchmark.data.cards import load_card
from benchmark.data.pools import load_pool
from benchmark.engines.perplexity import BaseScorer
from benchmark.judges import gold_file, measure
from benchmark.judges.coherence import perplexity_bar
from benchmark.progress import Reporter
from benchmark.stages.answer import Answered, answer
from benchmark.stages.artifact import Artifact
from benchmark.stages.loaded import Loaded
from benchmark.stages.plans import COHERENCE
from benchmark.stages.resolve import Run
from benchmark.stages.samples import split_of

VERDICTS = "verdicts.jsonl"
BAR = "bar"


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Verdicts of all judges, as rows without a word of what was said."""

    key: str
    rows: list[VerdictRow]
    judges: list[JudgeInfo]
    cost: list[StageCost]


@dataclass(frozen=True, kw_only=True)
class Untouched:
    """The base model that coherence is measured by."""

    run: Run
    artifact: Artifact
    loaded: Loaded


def judge(
    run: Run,
    answered: Answered,
    samples: Sequence[Sample],
    *,
    base: Untouched,
    reporter: Reporter,
    begun: Begun = ignore,
) -> Judged:
    """Verdicts of the suite's judges and of coherence; found by the judge's identity, or made."""
    coherence, calibration = coherence_judge(base, reporter=reporter, begun=begun)
    judges = [*suite_judges(run, samples), (COHERENCE, coherence)]
    rows, infos, costs, keys = [], [], calibration, []
    for name, judge_ in judges:
        pairs = [
            (sample, answered.responses[sample.id])
            for sample in samples
            if sample.purpose in judge_.purposes
        ]
        key = digest({"answers": answered.key, "judge": [name, judge_.identity, *_source(name)]})
        verdicts, info, cost = _verdicts(
            run,
            name,
            judge_,
            pairs,
            key=key,
            base=base if name == COHERENCE else None,
            reporter=reporter,
            begun=begun,
        )
        truncated = {s.id: response.truncated for s, response in pairs}
        rows += [_row(name, s, verdicts[s.id], truncated=truncated[s.id]) for s, _ in pairs]
        infos.append(info)
        costs.append(cost)
        keys.append(key)
    return Judged(key=digest([*keys]), rows=rows, judges=infos, cost=costs)


def suite_judges(run: Run, samples: Sequence[Sample]) -> list[tuple[str, Judge]]:
    """The suite's judges, told how each card's answers are right."""
    # By card, not by sample: a card is a file, and there are thousands of samples.
    cards = {name: load_card(name) for name in sorted({sample.card for sample in samples})}
    metrics = {name: card.metric for name, card in cards.items() if card.metric is not None}
    return [(name, registry.load("judge", name)(metrics=metrics)) for name in run.suite.judges]


def coherence_judge(
    base: Untouched, *, reporter: Reporter, begun: Begun = ignore
) -> tuple[Judge, list[StageCost]]:
    """Coherence under the base model, its bar the base's own 99th percentile on validation; and
    what it took to find the bar.

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
    )

    def scorer(samples: Sequence[Sample], answers: Sequence[str]) -> list[float]:
        return BaseScorer(base.loaded.base())(samples, answers)

    stage = StageFolder(run.results.root, "judge", digest([BAR, said.key, *_source(COHERENCE)]))
    with stage.lock(lambda who: reporter.note(f"waiting: {who} is calibrating coherence")):
        from_cache = stage.is_done()
        if not from_cache:
            begun(stage.path)
            meter = Meter(
                stage.path / LEDGER,
                device=run.spec.device,
                lendings=base.loaded.base().lendings,
            )
            spoken = [(s, said.responses[s.id].text) for s in pool.samples]
            kept = [(sample, text) for sample, text in spoken if text]
            with meter.running():
                bar = perplexity_bar(scorer([s for s, _ in kept], [text for _, text in kept]))
            stage.finish({BAR: bar, "cost": meter.cost().model_dump(mode="json")})
    manifest = stage.manifest()
    judge_ = registry.load("judge", COHERENCE)(scorer=scorer, bar=float(str(manifest[BAR])))
    found = StageCost.model_validate(manifest["cost"]).model_copy(update={"from_cache": from_cache})
    return judge_, [cost.model_copy(update={"wasted_s": 0.0}) for cost in (said.cost, found)]


def _source(name: str) -> tuple[str, str, str]:
    """What a judge's verdicts and its measured errors depend on, beside its identity: its file,
    its gold cases, and what judges share."""
    shared = digest_folder(REPOSITORY / "benchmark/judges", pattern="_*.py")
    return registry.entry("judge", name).source_sha256, digest_file(gold_file(name)), shared


def _verdicts(
    run: Run,
    name: str,
    judge_: Judge,
    pairs: Sequence[tuple[Sample, Response]],
    *,
    key: str,
    base: Untouched | None,
    reporter: Reporter,
    begun: Begun,
) -> tuple[Mapping[str, Verdict], JudgeInfo, StageCost]:
    """Verdicts by sample id, how good the judge is on its gold cases, and what both took; `base`
    is the model that the judge asks, if it asks one."""
    stage = StageFolder(run.results.root, "judge", key)
    log = JsonLines(stage.path / VERDICTS)
    with stage.lock(lambda who: reporter.note(f"waiting: {who} is judging with {name}")):
        if run.request.force:
            stage.clear()
        from_cache = stage.is_done()
        if not from_cache:
            begun(stage.path)
            lendings = base.loaded.base().lendings if base is not None else ()
            meter = Meter(stage.path / LEDGER, device=run.spec.device, lendings=lendings)
            with meter.running():
                made = judge_.judge(pairs)
                info = measure(judge_, name=name)
            assert [v.sample_id for v in made] == [s.id for s, _ in pairs], f"{name}: wrong order"
            log.path.unlink(missing_ok=True)
            log.append(made)
            stage.finish(
                {
                    "judge": info.model_dump(mode="json"),
                    "cost": meter.cost().model_dump(mode="json"),
                }
            )
        manifest = stage.manifest()
        cost = StageCost.model_validate(manifest["cost"])
        return (
            {verdict.sample_id: verdict for verdict in log.read(Verdict)},
            JudgeInfo.model_validate(manifest["judge"]),
            cost.model_copy(update={"from_cache": from_cache}),
        )


def _row(judge_name: str, sample: Sample, verdict: Verdict, *, truncated: bool) -> VerdictRow:
    return VerdictRow(
        judge=judge_name,
        sample_id=sample.id,
        behaviour=sample.behaviour,
        purpose=sample.purpose,
        card=sample.card,
        split=split_of(sample),
        form=sample.attack or "plain",
        scope=sample.scope,
        category=sample.category,
        label=verdict.label,
        score=verdict.score,
        unscored=verdict.unscored,
        truncated=truncated,
    )

"""Judge: every response gets a verdict from each judge of its kind, or a reason why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from benchmark.api import Judge
from benchmark.core import registry
from benchmark.core.errors import UserError
from benchmark.core.records import JudgeInfo, Response, StageCost, Verdict, VerdictRow
from benchmark.core.samples import Sample
from benchmark.core.store import JsonLines, digest
from benchmark.cost.budget import Budget
from benchmark.cost.meter import LEDGER, Begun, Meter, ignore, total
from benchmark.data.cards import load_card
from benchmark.judges import measure, source_of
from benchmark.progress import Reporter
from benchmark.stages.answer import Answered
from benchmark.stages.coherence import Perplexities, Untouched, coherence_bar, source_of_coherence
from benchmark.stages.folder import StageFolder
from benchmark.stages.plans import COHERENCE
from benchmark.stages.resolve import Run
from benchmark.stages.samples import split_of

VERDICTS = "verdicts.jsonl"


@dataclass(frozen=True, kw_only=True)
class Judged:
    """Verdicts of all judges, as rows without a word of what was said."""

    key: str
    rows: list[VerdictRow]
    judges: list[JudgeInfo]
    costs: Mapping[str, StageCost]
    """By judge; and what the bar of coherence took."""
    each: StageCost | None
    """What one perplexity took."""


def judge(
    run: Run,
    answered: Answered,
    samples: Sequence[Sample],
    *,
    base: Untouched,
    reporter: Reporter,
    begun: Begun = ignore,
    budget: Budget | None = None,
) -> Judged:
    """Verdicts of the suite's judges and of coherence; found by the judge's identity, or made."""
    scorer = Perplexities(base.loaded.base, own=base.own, device=run.spec.device)
    bar, costs = coherence_bar(base, scorer, reporter=reporter, begun=begun, budget=budget)
    coherence = registry.load("judge", COHERENCE)(scorer=scorer, bar=bar)
    judges = [*suite_judges(run, samples), (COHERENCE, coherence)]
    rows, infos, keys, each = [], [], [], None
    for name, judge_ in judges:
        pairs = [
            (sample, answered.responses[sample.id])
            for sample in samples
            if sample.purpose in judge_.purposes
        ]
        asking = scorer if name == COHERENCE else None
        source = [source_of_coherence(), base.own and base.own.key] if asking else source_of(name)
        key = digest({"answers": answered.key, "judge": [name, judge_.identity, *source]})
        verdicts, info, cost, of_one = _verdicts(
            run, name, judge_, pairs, key=key, asking=asking, reporter=reporter, begun=begun,
            budget=budget,
        )  # fmt: skip
        truncated = {s.id: response.truncated for s, response in pairs}
        rows += [_row(name, s, verdicts[s.id], truncated=truncated[s.id]) for s, _ in pairs]
        infos.append(info)
        costs[name] = cost
        each = of_one if asking else each
        keys.append(key)
    return Judged(key=digest([*keys]), rows=rows, judges=infos, costs=costs, each=each)


def suite_judges(run: Run, samples: Sequence[Sample]) -> list[tuple[str, Judge]]:
    """The suite's judges, told how each card's answers are right."""
    # By card, not by sample: a card is a file, and there are thousands of samples.
    cards = {name: load_card(name) for name in sorted({sample.card for sample in samples})}
    metrics = {name: card.metric for name, card in cards.items() if card.metric is not None}
    return [(name, registry.load("judge", name)(metrics=metrics)) for name in run.suite.judges]


def _verdicts(
    run: Run,
    name: str,
    judge_: Judge,
    pairs: Sequence[tuple[Sample, Response]],
    *,
    key: str,
    asking: Perplexities | None,
    reporter: Reporter,
    begun: Begun,
    budget: Budget | None,
) -> tuple[Mapping[str, Verdict], JudgeInfo, StageCost, StageCost | None]:
    """Verdicts by sample id, how good the judge is on its gold cases, what both took, and what one
    perplexity took; `asking` is how the judge asks a model, if it asks one."""
    stage = StageFolder(run.results.root, "judge", key)
    log = JsonLines(stage.path / VERDICTS)
    with stage.lock(lambda who: reporter.note(f"waiting: {who} is judging with {name}")):
        if run.request.force:
            stage.clear()
        from_cache = stage.is_done()
        if from_cache and budget is not None:
            budget.found(stage.path / LEDGER)
        if not from_cache:
            begun(stage.path)
            _make(run, name, judge_, pairs, stage=stage, asking=asking, budget=budget)
        manifest = stage.manifest("judge", "cost")
        verdicts = {verdict.sample_id: verdict for verdict in log.read(Verdict)}
        missing = [sample.id for sample, _ in pairs if sample.id not in verdicts]
        if missing:
            raise UserError(
                f"{log.path} lacks a verdict on '{missing[0]}', and the stage is done; "
                f"delete {stage.path} and run again"
            )
        cost = StageCost.model_validate(manifest["cost"])
        of_one = manifest.get("each")
        return (
            verdicts,
            JudgeInfo.model_validate(manifest["judge"]),
            cost.model_copy(update={"from_cache": from_cache}),
            StageCost.model_validate(of_one) if of_one is not None else None,
        )


def _make(
    run: Run,
    name: str,
    judge_: Judge,
    pairs: Sequence[tuple[Sample, Response]],
    *,
    stage: StageFolder,
    asking: Perplexities | None,
    budget: Budget | None,
) -> None:
    """Judge, measure the judge, and finish the stage."""
    lendings = asking.lendings if asking is not None else ()
    meter = Meter(stage.path / LEDGER, device=run.spec.device, lendings=lendings, budget=budget)
    with meter.running():
        made = judge_.judge(pairs)
        info = measure(judge_, name=name)
    owed, each = (asking.owed, asking.each) if asking is not None else (None, None)
    cost = total([meter.cost(), *filter(None, [owed])])
    if each is not None:
        each = each.model_copy(update={"peak_memory_bytes": cost.peak_memory_bytes})
    assert [v.sample_id for v in made] == [s.id for s, _ in pairs], f"{name}: wrong order"
    log = JsonLines(stage.path / VERDICTS)
    log.path.unlink(missing_ok=True)
    log.append(made)
    stage.finish(
        {
            "judge": info.model_dump(mode="json"),
            "cost": cost.model_dump(mode="json"),
            "each": each.model_dump(mode="json") if each is not None else None,
        }
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

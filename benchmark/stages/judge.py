"""Judge: every response gets a verdict from each judge of its kind, or a reason why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmark.core import registry
from benchmark.core.errors import UserError
from benchmark.core.records import JudgeInfo, Response, StageCost, Verdict, VerdictRow
from benchmark.core.samples import Sample
from benchmark.core.store import JsonLines, digest
from benchmark.cost.budget import Budget
from benchmark.cost.meter import LEDGER, Begun, Meter, ignore, total
from benchmark.data.cards import load_card
from benchmark.engines.endpoint import Note, silent
from benchmark.judges import measure, source_of
from benchmark.progress import Reporter
from benchmark.stages.answer import Answered
from benchmark.stages.asked import ask_on
from benchmark.stages.coherence import Perplexities, Untouched, coherence_bar, source_of_coherence
from benchmark.stages.folder import StageFolder
from benchmark.stages.panel import Seat, seated
from benchmark.stages.plans import COHERENCE
from benchmark.stages.resolve import Run, code_digest
from benchmark.stages.samples import split_of

VERDICTS = "verdicts.jsonl"
ASKING_CODE = ("benchmark/generators",)


@dataclass(frozen=True, kw_only=True)
class Bench:
    """Where judging is done: the results folder, the device that judges' models are on, and whether
    the answers are the miniature world's. `again` forgets the verdicts that are there."""

    root: Path
    device: str
    testbed: bool
    again: bool = False


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
    last = Seat(name=COHERENCE, plugin=COHERENCE, judge=coherence, purposes=coherence.purposes)
    seats = suite_judges(run, samples, note=reporter.note)
    bench = Bench(
        root=run.results.root,
        device=run.spec.device,
        testbed=run.suite.requires.vocabulary == "testbed",
        again=run.request.force,
    )
    rows, infos, keys, each = [], [], [], None
    for seat in [*seats, last]:
        asking = scorer if seat is last else None
        source = source_of_coherence() if asking else None
        found = verdicts_of(
            bench, seat, answered, samples, asking=asking, reporter=reporter, begun=begun,
            budget=budget, source=[source, base.own.key if base.own else None] if source else None,
        )  # fmt: skip
        rows += found.rows
        infos.append(found.info)
        costs[seat.name] = found.cost
        each = found.each if asking else each
        keys.append(found.key)
    return Judged(key=digest([*keys]), rows=rows, judges=infos, costs=costs, each=each)


def suite_judges(run: Run, samples: Sequence[Sample], *, note: Note = silent) -> list[Seat]:
    """The suite's judges, told how each card's answers are right."""
    return seated(
        run.suite.panel, metrics=metrics_of(samples), device=run.request.device, note=note
    )


def metrics_of(samples: Sequence[Sample]) -> dict[str, str]:
    """How the answers of each card are right, of those that say."""
    # By card, not by sample: a card is a file, and there are thousands of samples.
    cards = {name: load_card(name) for name in sorted({sample.card for sample in samples})}
    return {name: card.metric for name, card in cards.items() if card.metric is not None}


@dataclass(frozen=True, kw_only=True)
class JudgedBy:
    """What one judge found, how good it is on its gold cases, and what both took; `each` is what
    one perplexity took."""

    key: str
    rows: list[VerdictRow]
    info: JudgeInfo
    cost: StageCost
    each: StageCost | None


def verdicts_of(
    bench: Bench,
    seat: Seat,
    answered: Answered,
    samples: Sequence[Sample],
    *,
    reporter: Reporter,
    asking: Perplexities | None = None,
    source: Sequence[str | None] | None = None,
    begun: Begun = ignore,
    budget: Budget | None = None,
) -> JudgedBy:
    """One judge's verdicts on all answers of its purposes; found by its identity, or made. `asking`
    is how coherence asks the base model."""
    pairs = [(s, answered.responses[s.id]) for s in samples if s.purpose in seat.purposes]
    by = [seat.name, seat.judge.identity, *(source or source_of(seat.plugin))]
    by += [] if seat.purposes == tuple(seat.judge.purposes) else seat.purposes
    # How a judge's model is asked is no part of the judge's own file.
    by += [code_digest(ASKING_CODE)] if seat.generator is not None else []
    key = digest({"answers": answered.key, "judge": by})
    stage = StageFolder(bench.root, "judge", key)
    name = seat.name
    log = JsonLines(stage.path / VERDICTS)
    with stage.opened(
        f"judging with {name}", note=reporter.note, again=bench.again, begun=begun, budget=budget
    ) as from_cache:
        if not from_cache:
            _make(bench, seat, pairs, stage=stage, asking=asking, reporter=reporter, budget=budget)
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
        return JudgedBy(
            key=key,
            rows=[_row(name, s, verdicts[s.id], truncated=said.truncated) for s, said in pairs],
            info=JudgeInfo.model_validate(manifest["judge"]),
            cost=cost.model_copy(update={"from_cache": from_cache}),
            each=StageCost.model_validate(of_one) if of_one is not None else None,
        )


def _make(
    bench: Bench,
    seat: Seat,
    pairs: Sequence[tuple[Sample, Response]],
    *,
    stage: StageFolder,
    asking: Perplexities | None,
    reporter: Reporter,
    budget: Budget | None,
) -> None:
    """Judge, measure the judge, and finish the stage."""
    lendings = asking.lendings if asking is not None else ()
    meter = Meter(stage.path / LEDGER, device=bench.device, lendings=lendings, budget=budget)
    log = JsonLines(stage.path / VERDICTS)
    with meter.running():
        if seat.generator is None:
            log.path.unlink(missing_ok=True)
            made = seat.judge.judge(pairs)
            log.append(made)
        else:
            made = ask_on(seat, seat.generator, pairs, log=log, meter=meter, reporter=reporter)
        info = on_gold(seat, testbed=bench.testbed)
    owed, each = (asking.owed, asking.each) if asking is not None else (None, None)
    cost = total([meter.cost(), *filter(None, [owed])])
    if each is not None:
        each = each.model_copy(update={"peak_memory_bytes": cost.peak_memory_bytes})
    assert [v.sample_id for v in made] == [s.id for s, _ in pairs], f"{seat.name}: wrong order"
    stage.finish(
        {
            "judge": info.model_dump(mode="json"),
            "cost": cost.model_dump(mode="json"),
            "each": each.model_dump(mode="json") if each is not None else None,
        }
    )


def on_gold(seat: Seat, *, testbed: bool) -> JudgeInfo:
    """How often a judge errs on its gold cases. The testbed's errors say nothing of how it errs on
    other data, and calibrate it there alone."""
    info = measure(seat.judge, name=seat.name, plugin=seat.plugin)
    return info.model_copy(update={"calibrates": info.calibrates and testbed})


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

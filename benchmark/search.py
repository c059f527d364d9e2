"""Choose a method's settings on the validation pool: a small declared grid, equal for every method.

The grid, its seed and the objective stand in the suite. Every trial is kept with its cost, and so
is the choice; a trial's stages are found by their keys, so an interrupted search goes on.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from benchmark.api import TrainingConfig
from benchmark.core.config import merge
from benchmark.core.errors import RunFailed, UserError
from benchmark.core.records import RunRecord, Score, Selection
from benchmark.core.rows import BASE, split_row
from benchmark.core.samples import Scope
from benchmark.core.store import REPOSITORY
from benchmark.progress import Reporter
from benchmark.runner import RunRequest, run
from benchmark.scoring.attacked import family_name
from benchmark.scoring.plan import HELD_OUT, Plan
from benchmark.scoring.rates import find
from benchmark.stages.plans import plan_of
from benchmark.stages.resolve import Run, resolve
from benchmark.stages.settings import ChosenSettings, Trial, save_settings, settings_path
from benchmark.suites import Suite, load_suite
from benchmark.vlm.loading import digest_checkpoint
from benchmark.vlm.perception import Perceptions

OBJECTIVE = (
    "worst-family ASR on validation behaviours, plus what over-refusal, retained utility, "
    "coherence and twin completion fall short of their gates by (all rates, point estimates)"
)


def search(request: RunRequest, *, reporter: Reporter) -> ChosenSettings:
    """Try every setting of the suite's grid and keep the best. Raises `UserError` for a method
    without such settings and `RunFailed` when no trial can be scored."""
    suite = load_suite(request.suite)
    request = replace(
        request, seed=suite.search.seed, part="selection", tuned=False, upto="score", limit=None
    )
    resolved = resolve(request)
    if not isinstance(resolved.method.config, TrainingConfig):
        raise UserError(f"method '{request.method}' has no training settings to choose")
    plan = plan_of(suite)
    perceptions = Perceptions()
    base = run(
        replace(request, method=BASE, overrides={}), reporter=reporter, perceptions=perceptions
    )
    if objective(base.scores, base.scores, plan=plan) is None:
        raise RunFailed(
            "settings cannot be compared: the untouched model itself lacks a figure of the "
            "objective on the selection set"
        )
    trials: list[Trial] = []
    for settings in grid(suite, fixed=resolved.spec.method):
        reporter.note(f"trial {len(trials) + 1}: {settings}")
        record = run(
            replace(request, overrides=merge(request.overrides, settings)),
            reporter=reporter,
            perceptions=perceptions,
        )
        trials.append(_trial(settings, record, base.scores, plan=plan))
    place = {"suite": suite.name, "model": resolved.spec.model, "method": resolved.spec.method}
    path = settings_path(**place).relative_to(REPOSITORY)
    chosen = _choose(trials, resolved, suite=suite, path=str(path))
    save_settings(chosen, **place)
    return chosen


def grid(suite: Suite, *, fixed: str) -> Iterator[dict[str, JsonValue]]:
    """Every combination of the suite's grid, in order, but for what the row itself sets."""
    _, set_already = split_row(fixed)
    names = sorted(suite.search.grid.keys() - set_already.keys())
    for values in product(*(suite.search.grid[name] for name in names)):
        yield dict(zip(names, values, strict=True))


def objective(scores: Sequence[Score], base: Sequence[Score], *, plan: Plan) -> float | None:
    """`OBJECTIVE`, lower is better; None when a figure is missing."""
    gates, judge = plan.gates, plan.ranking_judge
    pairs = {
        name: tuple(_value(side, name, whose, card="all") for side in (scores, base))
        for name, whose in (
            ("over_refusal", judge),
            ("utility_retained", judge),
            ("coherence", plan.coherence_judge),
        )
    }
    twins = [
        tuple(_value(side, "twin", judge, form=family_name(family)) for side in (scores, base))
        for family in plan.families
    ]
    worst = _value(scores, "asr", judge, form=family_name("worst"), scope=HELD_OUT)
    figures = [worst, *(value for pair in (*pairs.values(), *twins) for value in pair)]
    if worst is None or any(value is None for value in figures):
        return None
    allowed = {
        "over_refusal": lambda mine, other: mine - other - gates.over_refusal_rise,
        "utility_retained": lambda mine, _other: gates.retained_utility - mine,
        "coherence": lambda mine, other: other - gates.coherence_drop - mine,
    }
    shortfalls = [allowed[name](*pair) for name, pair in pairs.items()]
    shortfalls += [gates.twin_share * other - mine for mine, other in twins]
    return worst + sum(max(0.0, shortfall) for shortfall in shortfalls)


def _value(
    scores: Sequence[Score],
    metric: str,
    judge: str,
    *,
    form: str = "all",
    scope: Scope | None = None,
    card: str | None = None,
) -> Any:
    """The figure, or None; typed loosely, since `objective` has looked for None itself."""
    found = find(scores, metric, judge=judge, form=form, scope=scope, card=card)
    return None if found is None else found.value


def _trial(
    settings: dict[str, JsonValue], record: RunRecord, base: Sequence[Score], *, plan: Plan
) -> Trial:
    def asr(family: str) -> float | None:
        form = family_name(family)
        return _value(record.scores, "asr", plan.ranking_judge, form=form, scope=HELD_OUT)

    stages = record.cost.stages.values() if record.cost else ()
    return Trial(
        settings=settings,
        status=record.status,
        error=record.error,
        objective=objective(record.scores, base, plan=plan),
        worst_asr=asr("worst"),
        text_asr=asr("text"),
        image_asr=asr("image"),
        device_s=sum(stage.device_s for stage in stages),
    )


def _choose(trials: Sequence[Trial], resolved: Run, *, suite: Suite, path: str) -> ChosenSettings:
    """The lowest objective; of equals the first, which is the smaller setting."""
    scored = [trial for trial in trials if trial.objective is not None]
    if not scored:
        reasons = {trial.error or "a figure is missing" for trial in trials}
        raise RunFailed(f"no trial could be scored: {'; '.join(sorted(reasons))}")
    best = min(scored, key=lambda trial: trial.objective or 0.0)
    _, fixed = split_row(resolved.spec.method)
    return ChosenSettings(
        row=resolved.spec.method,
        method_sha256=resolved.entry.source_sha256,
        model_sha256=digest_checkpoint(Path(resolved.model_card.checkpoint())),
        settings=merge(fixed, best.settings),
        selection=Selection(
            objective=OBJECTIVE,
            n_trials=len(trials),
            seed=suite.search.seed,
            device_s=sum(trial.device_s for trial in trials),
            pool="validation",
            record=path,
        ),
        trials=list(trials),
    )

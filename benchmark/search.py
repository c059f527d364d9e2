"""Choose methods' settings on the validation pool: one declared budget, equal for all.

Trials, their seed and the objective stand in the suite, and so does the grid for methods that bring
none. Every trial is kept with its cost, and so is the choice; a trial's stages are found by their
keys, so an interrupted search goes on.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from benchmark.core import registry
from benchmark.core.config import merge
from benchmark.core.errors import NotOffered, RunFailed, UserError
from benchmark.core.records import RunRecord, Score, Selection
from benchmark.core.rows import BASE, split_row
from benchmark.core.store import REPOSITORY
from benchmark.grids import Settings, grid, grid_of, has_settings
from benchmark.progress import Reporter
from benchmark.runner import RunRequest, Shared
from benchmark.scoring.attacked import family_name
from benchmark.scoring.objective import left, objective, objective_words, value_of
from benchmark.scoring.plan import HELD_OUT
from benchmark.several import run_several
from benchmark.stages.plans import plan_of
from benchmark.stages.resolve import Run, resolve
from benchmark.stages.settings import ChosenSettings, Trial, save_settings, settings_path
from benchmark.suites import Suite, load_suite
from benchmark.turns import Outcome
from benchmark.vlm.loading import digest_checkpoint


@dataclass(frozen=True, kw_only=True)
class Found:
    """What a search came to on one model: the chosen settings, or why there are none."""

    row: str
    model: str
    chosen: ChosenSettings | None = None
    error: UserError | RunFailed | None = None


@dataclass(kw_only=True)
class _Search:
    """One row's search: all its trials, and what became of those that ended."""

    resolved: Run
    requests: list[RunRequest]
    tried: list[Settings]
    trials: dict[int, Trial] = field(default_factory=dict)
    not_offered: NotOffered | None = None

    @property
    def target(self) -> tuple[str, str]:
        """Suite and model."""
        return self.resolved.request.suite, self.resolved.request.model


def search(
    requests: Sequence[RunRequest],
    *,
    reporter: Reporter,
    jobs: int | None = None,
    lenient: bool = False,
    found: Callable[[Found], None],
) -> None:
    """Try every setting of each row's grid and keep the best, trials of all rows side by side;
    `found` is told of each row as soon as its last trial ended, and its choice is stored by then.

    Raises `UserError` for a method without settings to choose or with more than the suite allows,
    unless `lenient`, when `found` is told and the others go on; and `RunFailed` where the untouched
    model cannot be scored: both before any trial.
    """
    searches = []
    for request in requests:
        try:
            searches.append(_search(request))
        except (UserError, RunFailed) as error:
            if not lenient:
                raise
            found(Found(row=request.method, model=request.model, error=error))
    shared = Shared()
    bases = _bases(searches, reporter=reporter, shared=shared, jobs=jobs)
    of_request = {id(one): (each, at) for each in searches for at, one in enumerate(each.requests)}

    def ended(outcome: Outcome) -> None:
        each, at = of_request[id(outcome.request)]
        if each.not_offered is not None:
            return
        if isinstance(outcome.error, NotOffered):
            each.not_offered = outcome.error
        else:
            base = bases[each.target].scores
            each.trials[at] = _trial(each.tried[at], outcome, base, suite=each.resolved.suite)
        if each.not_offered is not None or len(each.trials) == len(each.requests):
            found(_found(each))

    trials = [one for each in searches for one in each.requests]
    run_several(trials, jobs=jobs, reporter=reporter, shared=shared, ended=ended)


def _search(request: RunRequest) -> _Search:
    """The trials of one row; every one of them is resolved, so that a mistake shows at once."""
    suite = load_suite(request.suite)
    if suite.settings_from is not None:
        raise UserError(
            f"suite '{suite.name}' takes its settings from '{suite.settings_from}'; search there"
        )
    request = replace(
        request, seed=suite.search.seed, part="selection", tuned=False, upto="score", limit=None
    )
    resolved = resolve(request)
    method = registry.load("method", split_row(request.method)[0])
    if not has_settings(method):
        takes = f"; it takes those of '{method.settings_of}'" if method.settings_of else ""
        raise UserError(f"method '{request.method}' has no settings to choose{takes}")
    tried = list(grid(grid_of(method, suite), fixed=resolved.spec.method))
    if len(tried) > suite.search.n_trials:
        raise UserError(
            f"method '{request.method}' has a grid of {len(tried)} settings, and suite "
            f"'{suite.name}' allows {suite.search.n_trials} trials"
        )
    requests = [replace(request, overrides=merge(request.overrides, one)) for one in tried]
    for one in requests:
        resolve(one)
    return _Search(resolved=resolved, requests=requests, tried=tried)


def _bases(
    searches: Sequence[_Search], *, reporter: Reporter, shared: Shared, jobs: int | None
) -> dict[tuple[str, str], RunRecord]:
    """The untouched model's record on each target's selection set."""
    requests = {
        each.target: replace(each.resolved.request, method=BASE, overrides={}, seed=0)
        for each in searches
    }
    outcomes = run_several([*requests.values()], jobs=jobs, reporter=reporter, shared=shared)
    found = {}
    for target, outcome in zip(requests, outcomes, strict=True):
        if outcome.error is not None:
            raise outcome.error
        record = outcome.record
        plan = plan_of(load_suite(target[0]))
        if record is None or objective(record.scores, record.scores, plan=plan) is None:
            raise RunFailed(
                "settings cannot be compared: the untouched model itself lacks a figure of the "
                "objective on the selection set"
            )
        found[target] = record
    return found


def _found(each: _Search) -> Found:
    """Choose and store; what cannot be chosen is said."""
    suite, spec = each.resolved.suite, each.resolved.spec
    if each.not_offered is not None:
        return Found(row=spec.method, model=spec.model, error=each.not_offered)
    place = {"suite": suite.name, "model": spec.model, "method": spec.method}
    path = settings_path(**place)
    path = path.relative_to(REPOSITORY) if path.is_relative_to(REPOSITORY) else path
    trials = [each.trials[at] for at in range(len(each.requests))]
    lost = sum(trial.device_s is None for trial in trials)
    if lost:
        # Of a trial that was killed nobody knows the cost, nor what it would have come to.
        reason = f"{lost} of {len(trials)} trials were lost; the same command goes on from there"
        return Found(row=spec.method, model=spec.model, error=RunFailed(reason))
    try:
        chosen = _choose(trials, each.resolved, suite=suite, path=str(path))
    except RunFailed as error:
        return Found(row=spec.method, model=spec.model, error=error)
    save_settings(chosen, **place)
    return Found(row=spec.method, model=spec.model, chosen=chosen)


def _trial(settings: Settings, outcome: Outcome, base: Sequence[Score], *, suite: Suite) -> Trial:
    record, plan = outcome.record, plan_of(suite)
    scores = record.scores if record is not None else []

    def asr(family: str) -> float | None:
        form = family_name(family)
        return value_of(scores, "asr", plan.judge_for("asr"), form=form, scope=HELD_OUT)

    stages = record.cost.stages.values() if record is not None and record.cost else ()
    # As `record_lost` leaves it: nobody was left who could say how far it came.
    lost = record is None or (record.status != "done" and record.failed_stage is None)
    return Trial(
        settings=settings,
        status=record.status if record is not None else "failed",
        error=record.error if record is not None else str(outcome.error),
        objective=objective(scores, base, plan=plan),
        left=left(scores, plan=plan) if plan.persons else None,
        worst_asr=asr("worst"),
        text_asr=asr("text"),
        image_asr=asr("image"),
        device_s=None if lost else sum(stage.device_s for stage in stages),
    )


def _unscored(suite: Suite) -> str:
    if not plan_of(suite).persons:
        return "a figure is missing"
    most = f"{100 * suite.gates.unscored:.0f} %"
    return f"more than {most} of the answers about persons say nothing, or a figure is missing"


def _choose(trials: Sequence[Trial], resolved: Run, *, suite: Suite, path: str) -> ChosenSettings:
    """The best by the suite's objective; of equals the first, which is the smaller setting."""
    scored = [trial for trial in trials if trial.objective is not None]
    if not scored:
        reasons = {trial.error or _unscored(suite) for trial in trials}
        raise RunFailed(f"no trial could be scored: {'; '.join(sorted(reasons))}")
    best = min(scored, key=_order)
    _, fixed = split_row(resolved.spec.method)
    return ChosenSettings(
        row=resolved.spec.method,
        method_sha256=resolved.entry.source_sha256,
        model_sha256=digest_checkpoint(resolved.model_card.checkpoint()),
        settings=merge(fixed, best.settings),
        selection=Selection(
            objective=objective_words(plan_of(suite)),
            n_trials=len(trials),
            seed=suite.search.seed,
            device_s=sum(trial.device_s or 0.0 for trial in trials),
            pool="validation",
            record=path,
        ),
        budget=suite.search.n_trials,
        trials=list(trials),
    )


def _order(trial: Trial) -> tuple[bool, float, float]:
    """What the objective goes by: a defence that fails a gate is none, however little it lets
    through, and one that changes nothing is no better than one that helps in another family."""
    remaining = trial.worst_asr if trial.left is None else trial.left
    assert trial.objective is not None and remaining is not None, "only scored trials"
    families = [asr for asr in (trial.text_asr, trial.image_asr) if asr is not None]
    short = trial.objective - remaining > 0
    return short, trial.objective, sum(families) / len(families) if families else 0.0

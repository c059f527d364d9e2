"""Run one method on one model with one seed: stages in a row, and a record whatever happens.

load -> train -> attack -> generate (with the canary) -> judge -> likelihood -> score. Each stage is
found by its content key and not repeated. What fails is a record with its reason; what is
interrupted can go on.
"""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, partial

from benchmark.api import TrainingConfig
from benchmark.core import environment
from benchmark.core.errors import NothingRun, OverBudget, RunFailed, UserError
from benchmark.core.records import Git, RunRecord, Status
from benchmark.core.roles import SEEING, Role
from benchmark.core.rows import BASE
from benchmark.core.samples import Sample
from benchmark.core.store import StorageError
from benchmark.engines.priming import prime_images
from benchmark.engines.readable import Readable
from benchmark.progress import Reporter
from benchmark.stages.answer import answer
from benchmark.stages.attack import attack
from benchmark.stages.canary import asked_alike, canary
from benchmark.stages.engines import check_engine, with_engine
from benchmark.stages.following import check_shared
from benchmark.stages.judge import judge
from benchmark.stages.known import Known
from benchmark.stages.lacking import pools_of, trained_on
from benchmark.stages.loaded import Loaded, folder_of
from benchmark.stages.measure import measure
from benchmark.stages.plans import plan_of
from benchmark.stages.pools import load_pools
from benchmark.stages.record import make_record, save_record
from benchmark.stages.resolve import Run, RunRequest, resolve
from benchmark.stages.samples import answered
from benchmark.stages.shared import Shared
from benchmark.stages.shortage import out_of_memory
from benchmark.stages.train import train
from benchmark.stages.untouched import loaded_of, untouched
from benchmark.vlm.memory import is_out_of_memory
from benchmark.vlm.perception import Perceptions

__all__ = ["RunRequest", "Shared", "prepare", "record_lost", "run"]

UNTOUCHED = "untouched model"
"""What the timeline calls its run."""


def run(
    request: RunRequest,
    *,
    reporter: Reporter | None = None,
    shared: Shared | None = None,
) -> RunRecord:
    """Run to the stage asked for and return the record, which is on disk if scoring was reached
    or the run failed. `shared` is what runs in a row have in common.

    Raises `UserError` for what a user can mend.
    """
    reporter, shared = reporter or Reporter(), shared or Shared()
    known = _begun(request, shared)
    try:
        _stages(known, reporter, shared)
    except KeyboardInterrupt:
        _finish(known, "interrupted", "interrupted by the user", reporter)
        raise
    except (StorageError, NothingRun):
        raise
    except UserError as error:
        if known.run is not None:
            # What this method needs and does not find is worth a record; a misspelt name is not.
            _finish(known, "failed", str(error), reporter)
        raise
    except OverBudget as error:
        return _finish(known, "over_budget", str(error), reporter)
    except RunFailed as error:
        return _finish(known, "failed", str(error), reporter)
    except (Exception, SystemExit) as error:
        if is_out_of_memory(error):
            spec = known.run.spec if known.run is not None else None
            reason = out_of_memory(error, stage=known.stage, spec=spec)
            return _finish(known, "failed", reason, reporter)
        # A plugin may raise anything: its author gets the traceback, the other runs go on.
        traceback.print_exc(file=sys.stderr)
        return _finish(known, "failed", f"{type(error).__name__}: {error}", reporter)
    if request.upto == "score":
        return _finish(known, "done", None, reporter)
    return make_record(known, status="done", error=None, ended_at=_now())


def prepare(requests: Sequence[RunRequest], *, reporter: Reporter, shared: Shared) -> Loaded:
    """Make what these runs share, all on one model and suite: the untouched model, its answers and
    verdicts, and what their pools show. Returns where that model is loaded; raises as stages do.
    """
    runs = [run_ for request in requests if (run_ := _resolved(request)) is not None]
    run_ = resolve(replace(requests[0], method=BASE, overrides={}, seed=0))
    loaded = _to_load(run_, shared.perceptions, reporter)
    if any(request.upto != "train" for request in requests):
        _base(_begun(run_.request, shared), reporter, shared)
        _look(loaded, shared.samples(run_))
    wanted = [(pool, _sees_as_untouched(one)) for one in runs for pool in pools_of(one.method)]
    seen = {pool for pool, as_untouched in wanted if as_untouched}
    name = trained_on(run_.suite, run_.request.part)
    for role, modality in sorted({pool for pool, _ in wanted}):
        try:
            pool = shared.pools.load(run_.suite, role, modality, images=run_.images, name=name)
        # The run that needs it will say what is wrong; a plugin may ask for anything.
        except Exception:
            continue
        if (role, modality) in seen:
            _look(loaded, pool.samples)
    return loaded


def _look(loaded: Loaded, samples: Sequence[Sample]) -> None:
    """Read the prompts and project the images, as far as these are there and whole."""
    readable = Readable()
    _, there, _ = readable.tried(loaded.base().encoder.prompts, samples)
    readable.tried(partial(prime_images, loaded.base()), there)


def _resolved(request: RunRequest) -> Run | None:
    """None for one that cannot be: it will say so itself when it is run."""
    try:
        return resolve(request)
    except (UserError, RunFailed):
        return None


def _sees_as_untouched(run_: Run) -> bool:
    """Does a method see pictures as the untouched model does, while it works?"""
    config = run_.method.config
    trained = config.trains.keys() if isinstance(config, TrainingConfig) else set[Role]()
    return run_.method.starts_from == "target" and trained.isdisjoint(SEEING)


def record_lost(request: RunRequest, reason: str) -> RunRecord:
    """Put on record that a run ended without a word of its own; its stages can be resumed."""
    known = _begun(request, Shared())
    known.run = resolve(request)
    known.request = known.run.request
    record = make_record(known, status="failed", error=reason, ended_at=_now())
    # Nobody is left who could say how far it came.
    record = record.model_copy(update={"failed_stage": None})
    if request.part == "evaluation":
        save_record(known, record)
    return record


def _begun(request: RunRequest, shared: Shared) -> Known:
    return Known(
        started_at=_now(),
        git=git_at_first(),
        request=request,
        perceptions=shared.perceptions,
    )


@cache
def git_at_first() -> Git:
    """What this process runs, whatever is committed or edited while it does."""
    return environment.git()


def _stages(known: Known, reporter: Reporter, shared: Shared) -> None:
    doing = reporter.timeline.doing
    with doing("resolve"):
        run_ = known.run = resolve(known.request)
        request = known.request = run_.request
        words = f"{run_.spec.method} on {run_.spec.model}, suite {run_.spec.suite}"
        reporter.note(f"{words}, seed {run_.spec.seed}")
        if run_.borrowed:
            reporter.note(run_.borrowed)
        check_shared(run_, shared.processes)
        known.stage = "load"
        loaded = known.loaded = _to_load(run_, known.perceptions, reporter)
        check_engine(run_, checkpoint=folder_of(run_.model_card))
    known.enter("train")
    with doing("pools"):
        known.pools = load_pools(run_, shared.pools)
    with doing("train"):
        known.artifact = train(
            run_, pools=known.pools, loaded=loaded, reporter=reporter, begun=known.begun.append,
            budget=shared.budget, processes=shared.processes,
        )  # fmt: skip
    # The base answers next, and two models do not fit where one does.
    loaded.drop()
    if request.upto == "train":
        return
    known.enter("attack")
    _attack(known, reporter, shared)
    known.enter("generate")
    run_ = known.run = with_engine(
        run_, known.artifact, checkpoint=folder_of(run_.model_card), say=reporter.note
    )
    base = _base(known, reporter, shared) if request.method != BASE else known
    with doing("generate"):
        known.answered = answer(
            run_, known.artifact, answered(known.samples), loaded=loaded, reporter=reporter,
            again=request.force, begun=known.begun.append, budget=shared.budget,
            base=base.answered.responses if base.answered is not None else None,
        )  # fmt: skip
    loaded.drop()
    assert base.answered is not None
    known.base_answers_key = base.answered.key
    # Of pictures that were found for this very model the untouched one was asked its own.
    both = asked_alike(known.samples, base.samples)
    known.canary = canary(both, known.answered.responses, base.answered.responses)
    if request.upto == "generate":
        return
    known.enter("judge")
    with doing("judge"):
        known.judged = judge(
            run_, known.answered, known.samples, base=untouched(base), reporter=reporter,
            begun=known.begun.append, budget=shared.budget,
        )  # fmt: skip
    loaded_of(base).drop()
    if request.upto == "judge":
        return
    measure(known, reporter, shared)
    known.enter("score")
    assert base.judged is not None
    with doing("score"):
        known.score(base_rows=base.judged.rows, plan=plan_of(run_.suite))


def _attack(known: Known, reporter: Reporter, shared: Shared) -> None:
    """What the suite asks, with the pictures that are searched for."""
    run_, loaded = known.run, loaded_of(known)
    assert run_ is not None and known.artifact is not None
    with reporter.timeline.doing("samples"):
        given = shared.samples(run_)
    with reporter.timeline.doing("attack"):
        known.attacked = attack(
            run_, known.artifact, given, loaded=loaded, reporter=reporter,
            begun=known.begun.append, budget=shared.budget,
        )  # fmt: skip
    known.samples = known.attacked.samples
    loaded.drop()


def _to_load(run_: Run, perceptions: Perceptions, reporter: Reporter) -> Loaded:
    return Loaded(
        run_.model_card, precision=run_.spec.precision, device=run_.spec.device,
        perceptions=perceptions, timeline=reporter.timeline,
        own_code=run_.request.trust_remote_code,
    )  # fmt: skip


def _base(of: Known, reporter: Reporter, shared: Shared) -> Known:
    """The untouched model's answers and verdicts on the same samples, shared by all methods."""
    # By the engine that answers for the method: what differs is to be the method's doing.
    request = replace(
        of.request, method=BASE, overrides={}, seed=0, upto="score", force=False,
        engine=of.run.spec.engine if of.run is not None else of.request.engine,
    )  # fmt: skip

    def make() -> Known:
        known = replace(_begun(request, shared), git=of.git)
        with reporter.timeline.doing(UNTOUCHED):
            _stages(known, reporter, shared)
            _finish(known, "done", None, reporter)
        return known

    return shared.base(request, make)


def _finish(known: Known, status: Status, error: str | None, reporter: Reporter) -> RunRecord:
    """Make the record, and keep it unless it belongs to a search."""
    with reporter.timeline.doing("record"):
        record = make_record(known, status=status, error=error, ended_at=_now())
        if known.request.part == "evaluation":
            save_record(known, record)
    return record


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

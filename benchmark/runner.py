"""Run one method on one model with one seed: stages in a row, and a record whatever happens.

load -> train -> generate (with the canary) -> judge -> score. Each stage is found by its content
key and not repeated. What fails is a record with its reason; what is interrupted can go on.
"""

from __future__ import annotations

import sys
import traceback
from dataclasses import replace
from datetime import UTC, datetime

import torch

from benchmark.core import environment
from benchmark.core.errors import RunFailed, UserError
from benchmark.core.records import RunRecord, Status
from benchmark.core.rows import BASE
from benchmark.core.store import StorageError
from benchmark.progress import Reporter
from benchmark.stages.answer import answer
from benchmark.stages.canary import canary
from benchmark.stages.judge import Untouched, judge
from benchmark.stages.loaded import Loaded
from benchmark.stages.plans import plan_of
from benchmark.stages.record import Known, make_record, save_record
from benchmark.stages.resolve import RunRequest, resolve
from benchmark.stages.samples import evaluation_samples
from benchmark.stages.train import load_pools, train
from benchmark.vlm.perception import Perceptions

__all__ = ["RunRequest", "run"]


def run(
    request: RunRequest,
    *,
    reporter: Reporter | None = None,
    perceptions: Perceptions | None = None,
) -> RunRecord:
    """Run to the stage asked for and return the record, which is on disk if scoring was reached
    or the run failed. Runs in a row may share what they read and saw through `perceptions`.

    Raises `UserError` for what a user can mend.
    """
    reporter = reporter or Reporter()
    known = Known(
        started_at=_now(),
        git=environment.git(),
        request=request,
        perceptions=perceptions or Perceptions(),
    )
    try:
        _stages(known, reporter)
    except KeyboardInterrupt:
        _finish(known, "interrupted", "interrupted by the user")
        raise
    except StorageError:
        raise
    except UserError as error:
        if known.run is not None:
            # What this method needs and does not find is worth a record; a misspelt name is not.
            _finish(known, "failed", str(error))
        raise
    except RunFailed as error:
        return _finish(known, "failed", str(error))
    except Exception as error:
        if _is_out_of_memory(error):
            return _finish(known, "failed", f"out of memory: {_first_line(error)}")
        # A plugin may raise anything: its author gets the traceback, the other runs go on.
        traceback.print_exc(file=sys.stderr)
        return _finish(known, "failed", f"{type(error).__name__}: {error}")
    if request.upto == "score":
        return _finish(known, "done", None)
    return make_record(known, status="done", error=None, ended_at=_now())


def _stages(known: Known, reporter: Reporter) -> None:
    run_ = known.run = resolve(known.request)
    request = known.request = run_.request
    reporter.note(
        f"{run_.spec.method} on {run_.spec.model}, suite {run_.spec.suite}, seed {run_.spec.seed}"
    )
    known.stage = "load"
    loaded = known.loaded = Loaded(
        run_.model_card,
        precision=run_.spec.precision,
        device=run_.spec.device,
        perceptions=known.perceptions,
    )
    known.enter("train")
    known.pools = load_pools(run_)
    known.artifact = train(
        run_, pools=known.pools, loaded=loaded, reporter=reporter, begun=known.begun.append
    )
    # The base answers next, and two models do not fit where one does.
    loaded.drop()
    if request.upto == "train":
        return
    known.enter("attack")
    known.samples = known.samples or evaluation_samples(
        run_.evaluation, images=run_.images, limit=run_.spec.limit
    )
    known.enter("generate")
    base = _base(known, reporter) if request.method != BASE else known
    known.answered = answer(
        run_,
        known.artifact,
        known.samples,
        loaded=loaded,
        reporter=reporter,
        again=request.force,
        begun=known.begun.append,
    )
    loaded.drop()
    assert base.answered is not None
    known.base_answers_key = base.answered.key
    known.canary = canary(known.samples, known.answered, base.answered)
    if request.upto == "generate":
        return
    known.enter("judge")
    known.judged = judge(
        run_,
        known.answered,
        known.samples,
        base=_untouched(base),
        reporter=reporter,
        begun=known.begun.append,
    )
    if request.upto == "judge":
        return
    known.enter("score")
    assert base.judged is not None
    known.score(base_rows=base.judged.rows, plan=plan_of(run_.suite))


def _base(of: Known, reporter: Reporter) -> Known:
    """The untouched model's answers and verdicts on the same samples, shared by all methods."""
    request = replace(of.request, method=BASE, overrides={}, seed=0, upto="score", force=False)
    known = Known(
        started_at=_now(),
        git=of.git,
        request=request,
        samples=of.samples,
        perceptions=of.perceptions,
    )
    _stages(known, reporter)
    _finish(known, "done", None)
    assert known.loaded is not None
    known.loaded.drop()
    return known


def _untouched(base: Known) -> Untouched:
    assert base.run and base.artifact and base.loaded
    return Untouched(run=base.run, artifact=base.artifact, loaded=base.loaded)


def _finish(known: Known, status: Status, error: str | None) -> RunRecord:
    """Make the record, and keep it unless it belongs to a search."""
    record = make_record(known, status=status, error=error, ended_at=_now())
    if known.request.part == "evaluation":
        save_record(known, record)
    return record


def _is_out_of_memory(error: Exception) -> bool:
    """Also on a CPU, where torch has no type of its own for it."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

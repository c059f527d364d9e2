"""A treated model is asked; what it said is found again by content, as a run's answers are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import partial

from benchmark.core.records import Serving
from benchmark.core.samples import Sample
from benchmark.core.store import digest
from benchmark.cost.meter import LEDGER, Meter
from benchmark.data.samples import fingerprint
from benchmark.engines.engine import LOCAL, Engine
from benchmark.progress import Reporter
from benchmark.stages.answer import Answered, stored_answers
from benchmark.stages.answers import Answers
from benchmark.stages.folder import StageFolder
from benchmark.stages.resolve import ANSWERING_CODE, Run, code_digest
from benchmark.stages.treat import Treated
from benchmark.treating import State

CODE = (*ANSWERING_CODE, "benchmark/durability")


def ask(
    state: State,
    treated: Treated,
    samples: Sequence[Sample],
    *,
    run: Run,
    engine_of: Callable[[State, Treated], Engine],
    reporter: Reporter,
) -> Answered:
    """Found finished, or asked now from the first unfinished batch on; the model is loaded only
    for what is not there."""
    stage = StageFolder(run.results.root, "generate", _key(state, treated, samples, run=run))
    with stage.opened("asking these very questions", note=reporter.note) as from_cache:
        if not from_cache:
            _ask(engine_of(state, treated), samples, stage=stage, run=run, reporter=reporter)
        return stored_answers(stage, samples, from_cache=from_cache)


def _key(state: State, treated: Treated, samples: Sequence[Sample], *, run: Run) -> str:
    return digest(
        {
            "treated": treated.key,
            "state": asdict(state),
            "samples": fingerprint(list(samples)),
            # What is drawn depends on it, and nothing else does.
            "seed": run.spec.seed if state.temperature is not None else None,
            "max_new_tokens": run.spec.max_new_tokens,
            "batch_size": run.spec.batch_size,
            "hooks": [run.entry.source_sha256, run.spec.config],
            "precision": run.spec.precision,
            "device": run.spec.device,
            "code": code_digest(CODE),
        }
    )


def _ask(
    engine: Engine, samples: Sequence[Sample], *, stage: StageFolder, run: Run, reporter: Reporter
) -> None:
    answers = Answers(stage.path)
    meter = Meter(stage.path / LEDGER, device=run.spec.device, lendings=engine.lendings)
    bar = reporter.bar("generate", total=len(samples), done=len(answers.there))
    with meter.running(), bar as advance:

        def stored() -> None:
            meter.beat()
            advance(len(answers.there), "")

        ask_all = partial(answers.ask, batch_size=run.spec.batch_size, note=reporter.note)
        ask_all(engine, samples, stored=stored)
    said = answers.there.values()
    cost = meter.cost(
        input_tokens=sum(response.n_prompt_tokens for response in said),
        output_tokens=sum(response.n_answer_tokens for response in said),
    )
    serving = Serving(engine=LOCAL, version=None, form=None, batches=[], probe=None)
    told = {"cost": cost.model_dump(mode="json"), "serving": serving.model_dump(mode="json")}
    stage.finish({"n": len(samples), **told})

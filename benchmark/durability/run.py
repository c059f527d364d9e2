"""Train a method or find it trained, treat what it left behind, ask what came of it, and put each
treatment on record."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial

from benchmark.core import environment
from benchmark.core.durability_records import (
    DurabilityCost,
    DurabilityRecord,
    Outcome,
    TreatedState,
)
from benchmark.core.errors import NotOffered, RunFailed, UserError
from benchmark.core.store import write_atomic
from benchmark.cost.meter import total
from benchmark.data.pools import Pools
from benchmark.durability.answering import ask
from benchmark.durability.asking import Questions, drawn_for
from benchmark.durability.holding import Holding
from benchmark.probes.serving import Trained, trained
from benchmark.progress import Reporter
from benchmark.runner import git_at_first
from benchmark.scoring.treated import figures_of
from benchmark.stages.charged import system_of
from benchmark.stages.resolve import RunRequest
from benchmark.stages.shortage import out_of_memory
from benchmark.stages.treat import Chosen, Treated, treat
from benchmark.tables.durability.kept import record_path
from benchmark.treating import NotPossible, Patient
from benchmark.vlm.memory import is_out_of_memory


class Endurance:
    """One method with one seed under one treatment after the other; each ends with a record,
    whatever happens to it."""

    def __init__(self, request: RunRequest, *, pools: Pools, reporter: Reporter) -> None:
        """Train it or find it trained; raises as a run's stages do."""
        self._reporter = reporter
        self._made: Trained = trained(request, reporter=reporter)
        self._run, self._artifact = self._made.run, self._made.artifact
        self._holding = Holding(
            self._run, self._artifact, loaded=self._made.loaded, reporter=reporter
        )
        self._questions = Questions(self._run)
        self._patient = Patient(
            method=self._run.spec.method,
            precision=self._run.spec.precision,
            seed=self._run.spec.seed,
            has_adapter=self._holding.has_adapter,
            pool=lambda role, modality: pools.load(
                self._run.suite, role, modality, images=self._run.images
            ),
            merged=self._holding.merged,
            to_forget=self._questions.to_forget(),
        )

    def under(self, chosen: Chosen) -> DurabilityRecord:
        """Treat, ask, judge, and write the record. Raises `UserError` alone."""
        started_at = _now()
        self._reporter.note(f"{self._run.spec.method}, seed {self._run.spec.seed}: {chosen.row}")
        treated: Treated | None = None
        states: list[TreatedState] = []
        cost: DurabilityCost | None = None
        status: Outcome = "done"
        reason: str | None = None
        try:
            self._holding.check_hooks()
            treated = treat(
                chosen, self._patient,
                run=self._run, artifact=self._artifact, reporter=self._reporter,
            )  # fmt: skip
            states, cost = self._asked(chosen, treated)
        except (NotPossible, NotOffered) as error:
            status, reason = "not_possible", str(error)
        except UserError:
            raise
        except RunFailed as error:
            status, reason = "failed", str(error)
        except Exception as error:
            status, reason = "failed", self._said(error)
        record = self._record(
            chosen, treated=treated, states=states, cost=cost, status=status, reason=reason,
            started_at=started_at,
        )  # fmt: skip
        write_atomic(
            record_path(self._run.results, record), record.model_dump_json(indent=1) + "\n"
        )
        return record

    def _said(self, error: Exception) -> str:
        """A plugin may raise anything: its author gets the traceback, other treatments go on."""
        if is_out_of_memory(error):
            return out_of_memory(error, stage="generate", spec=self._run.spec)
        traceback.print_exc(file=sys.stderr)
        return f"{type(error).__name__}: {error}"

    def _asked(self, chosen: Chosen, treated: Treated) -> tuple[list[TreatedState], DurabilityCost]:
        treatment, patient = chosen.treatment, self._patient
        asked = treatment.asked(self._questions.samples(treatment.asks), patient)
        relearned = treatment.relearned(patient)
        states, generated, judging = [], [], []
        for state in treated.states:
            samples = drawn_for(state, asked)
            answered = ask(
                state, treated, samples,
                run=self._run, engine_of=partial(self._holding.engine, samples=samples),
                reporter=self._reporter,
            )  # fmt: skip
            judged = self._questions.judged(answered, samples, reporter=self._reporter)
            rows = self._questions.ranking(judged)
            states.append(
                TreatedState(
                    step=state.step,
                    temperature=state.temperature,
                    n_draws=state.n_draws,
                    answers_key=answered.key,
                    figures=figures_of(
                        rows,
                        relearned=relearned,
                        n_draws=state.n_draws,
                        persons=self._questions.persons,
                    ),
                )
            )
            generated.append(answered.cost)
            judging += [one.cost for one in judged]
        cost = DurabilityCost(treat=treated.cost, generate=total(generated), judge=total(judging))
        return states, cost

    def _record(
        self,
        chosen: Chosen,
        *,
        treated: Treated | None,
        states: Sequence[TreatedState],
        cost: DurabilityCost | None,
        status: Outcome,
        reason: str | None,
        started_at: str,
    ) -> DurabilityRecord:
        run, spec = self._run, self._run.spec
        done = status == "done"
        return DurabilityRecord(
            treatment=chosen.row,
            settings=dict(chosen.settings),
            source_sha256=chosen.source_sha256,
            method=spec.method,
            config=spec.config,
            method_sha256=run.entry.source_sha256,
            reference=run.method.reference_row,
            model=spec.model,
            model_sha256=self._made.loaded.sha256,
            suite=spec.suite,
            notice=run.suite.notice,
            measure=self._questions.measure,
            seed=spec.seed,
            limit=spec.limit,
            forms=list(self._questions.forms),
            judges=list(self._questions.judges),
            training=self._artifact.key,
            hooks=self._artifact.info.hooks,
            relearned=list(chosen.treatment.relearned(self._patient)) if done else [],
            status=status,
            reason=reason,
            key=treated.key if treated else None,
            states=list(states),
            cost=cost,
            started_at=started_at,
            ended_at=_now(),
            git=git_at_first(),
            packages=environment.packages(),
            system=system_of(spec.device),
        )


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")

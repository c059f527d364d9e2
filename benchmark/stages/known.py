"""What is known of a run while it goes on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.core.forgetting import LikelihoodRow, MatchRow
from benchmark.core.records import Canary, Git, Score, Stage, VerdictRow
from benchmark.core.samples import Sample
from benchmark.data.pools import Pool
from benchmark.scoring.plan import Plan
from benchmark.scoring.run import score_run
from benchmark.stages.answer import Answered
from benchmark.stages.artifact import Artifact
from benchmark.stages.attack import Attacked
from benchmark.stages.judge import Judged
from benchmark.stages.likelihood import Measured
from benchmark.stages.loaded import Loaded
from benchmark.stages.recall import likelihood_rows, match_rows
from benchmark.stages.resolve import Run, RunRequest
from benchmark.vlm.perception import Perceptions


@dataclass(kw_only=True)
class Known:
    """Filled stage by stage; a record can be made of however much there is."""

    started_at: str
    git: Git
    """As the code was when the run began: it may be edited meanwhile."""
    request: RunRequest
    perceptions: Perceptions
    stage: Stage = "load"
    run: Run | None = None
    loaded: Loaded | None = None
    pools: Mapping[str, Pool] = field(default_factory=dict)
    begun: list[Path] = field(default_factory=list)
    """Folders that the present stage works in: what it took is there if it does not finish."""
    artifact: Artifact | None = None
    samples: list[Sample] = field(default_factory=list)
    attacked: Attacked | None = None
    answered: Answered | None = None
    base_answers_key: str | None = None
    canary: Canary | None = None
    judged: Judged | None = None
    measured: Measured | None = None
    likelihoods: list[LikelihoodRow] = field(default_factory=list)
    matches: list[MatchRow] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    plan: Plan | None = None

    def enter(self, stage: Stage) -> None:
        """The stage before is done."""
        self.stage = stage
        self.begun.clear()

    def score(self, *, base_rows: Sequence[VerdictRow], plan: Plan) -> None:
        """Turn verdicts into figures."""
        assert self.judged is not None
        self.plan = plan
        self.scores = score_run(
            self.judged.rows, base_rows=base_rows, plan=plan, judges=self.judged.judges,
            missing=self.run.missing if self.run else (),
        )  # fmt: skip

    def recall(self, *, plan: Plan) -> None:
        """Turn what was answered and measured about persons into rows."""
        assert self.answered is not None and self.judged is not None and self.measured is not None
        self.likelihoods = likelihood_rows(self.samples, self.measured.there, plan=plan)
        self.matches = match_rows(
            self.samples, self.answered.responses, self.judged.rows, plan=plan
        )

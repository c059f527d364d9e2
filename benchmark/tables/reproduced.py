"""A run done once more, beside its record: which figures are the same, how far others are off."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from benchmark.core.records import RunRecord, Score, Stored, VerdictRow


class Deviation(Stored):
    """A figure that came out otherwise, or in one of the two alone."""

    metric_id: str
    recorded: float | None
    again: float | None
    low: float | None
    high: float | None
    """The recorded figure's 95 % interval."""

    @property
    def size(self) -> float | None:
        """How far apart the two are; None where one of them is missing."""
        if self.recorded is None or self.again is None:
            return None
        return abs(self.again - self.recorded)

    @property
    def within_interval(self) -> bool:
        """Does the new figure lie in the recorded one's interval?"""
        if self.again is None or self.low is None or self.high is None:
            return False
        return self.low <= self.again <= self.high


class Moved(Stored):
    """Verdicts of two runs side by side: how many are there of either, how many have another label
    or are in one of them alone, and how many scores of the others differ, at most by `largest`."""

    n: int
    n_labels: int
    n_scores: int
    largest: float


class Reproduced(Stored):
    """A run beside its record. It agrees where every figure is the same or at least lies within
    the recorded one's 95 % interval. `differs` names what was not alike to begin with."""

    record: str
    again: str
    method: str
    model: str
    suite: str
    seed: int
    same_answers: bool
    same_verdicts: bool
    moved: Moved
    n_figures: int
    n_equal: int
    deviations: list[Deviation]
    largest: float
    agrees: bool
    differs: list[str]
    training_s: float | None
    training_again_s: float | None


def reproduced(
    record: RunRecord, again: RunRecord, *, moved: Moved, path: str, folder: str
) -> Reproduced:
    """Every figure of the run at `path` beside that of the one done anew in `folder`."""
    deviations = list(_deviations(record, again))
    n_figures = len({score.metric_id for score in (*record.scores, *again.scores)})
    return Reproduced(
        record=path,
        again=folder,
        method=record.spec.method,
        model=record.spec.model,
        suite=record.spec.suite,
        seed=record.spec.seed,
        same_answers=_same(record, again, "answers"),
        same_verdicts=_same(record, again, "verdicts"),
        moved=moved,
        n_figures=n_figures,
        n_equal=n_figures - len(deviations),
        deviations=deviations,
        largest=max((found.size for found in deviations if found.size is not None), default=0.0),
        agrees=all(found.within_interval for found in deviations),
        differs=list(_differs(record, again)),
        training_s=_training_s(record),
        training_again_s=_training_s(again),
    )


def moved(recorded: Iterable[VerdictRow], again: Iterable[VerdictRow]) -> Moved:
    """Verdicts on the same samples by the same judges, side by side."""
    was, now = ({(row.judge, row.sample_id): row for row in rows} for rows in (recorded, again))
    both = [(was[key], now[key]) for key in was.keys() & now.keys()]
    alike = [(one, other) for one, other in both if _label(one) == _label(other)]
    scores = [(one.score or 0.0, other.score or 0.0) for one, other in alike]
    apart = [abs(one - other) for one, other in scores if one != other]
    n = len(was.keys() | now.keys())
    return Moved(n=n, n_labels=n - len(alike), n_scores=len(apart), largest=max(apart, default=0.0))


def _label(row: VerdictRow) -> tuple[object, ...]:
    return row.label, row.unscored, row.score is None


def _same(record: RunRecord, again: RunRecord, what: str) -> bool:
    known = record.digests.get(what)
    return known is not None and known == again.digests.get(what)


def _deviations(record: RunRecord, again: RunRecord) -> Iterator[Deviation]:
    recorded = {score.metric_id: score for score in record.scores}
    found = {score.metric_id: score for score in again.scores}
    for name in dict.fromkeys((*recorded, *found)):
        was, now = recorded.get(name), found.get(name)
        if was is None or now is None or _figure(was) != _figure(now):
            yield Deviation(
                metric_id=name,
                recorded=was.value if was else None,
                again=now.value if now else None,
                low=was.low if was else None,
                high=was.high if was else None,
            )


def _figure(score: Score) -> tuple[object, ...]:
    return score.value, score.low, score.high, score.n_total, score.n_unscored, score.void


def _differs(record: RunRecord, again: RunRecord) -> Iterator[str]:
    """What may explain a deviation, in words."""
    if record.spec.config != again.spec.config:
        yield "settings"
    if record.method.source_sha256 != again.method.source_sha256:
        yield "the method's code"
    if record.model_sha256 != again.model_sha256:
        yield "the model's weights"
    asked = [{(use.card, use.split): use.sha256 for use in run.data} for run in (record, again)]
    if asked[0] != asked[1]:
        yield "the data"
    was_in, now_in = (run.spec.computed_in or run.spec.precision for run in (record, again))
    if was_in != now_in:
        yield f"computed in {was_in} there, {now_in} here"
    for what, one in (("there", record), ("here", again)):
        if one.git.dirty is not False:
            yield f"an edited tree, or an unknown one, {what}"
    for name, was in record.packages.items():
        now = again.packages.get(name)
        if now != was:
            yield f"{name} {was} there, {now or 'none'} here"
    if record.git.commit != again.git.commit:
        yield f"commit {(record.git.commit or 'unknown')[:10]} there, " \
            f"{(again.git.commit or 'unknown')[:10]} here"  # fmt: skip
    if record.system.device_name != again.system.device_name:
        yield f"{record.system.device_name} there, {again.system.device_name} here"


def _training_s(record: RunRecord) -> float | None:
    stage = record.cost.stages.get("train") if record.cost else None
    return stage.device_s if stage else None

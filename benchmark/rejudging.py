"""Judge again what was said, without asking the model under test for another word."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmark.core.errors import MissingError, UserError
from benchmark.core.paths import ANSWERS, file_name
from benchmark.core.records import JudgeInfo, Response, RunRecord, Serving, StageCost, VerdictRow
from benchmark.core.samples import Sample
from benchmark.core.store import JsonLines, Results, write_atomic
from benchmark.data.images import ImageStore
from benchmark.progress import Reporter
from benchmark.stages.answer import Answered
from benchmark.stages.found_pictures import as_asked
from benchmark.stages.judge import Bench, JudgedBy, metrics_of, verdicts_of
from benchmark.stages.panel import Seat, seated
from benchmark.stages.samples import answered, evaluation_samples, uses_of
from benchmark.suites import JudgeEntry, Suite
from benchmark.tables.runs import LoadedRun
from benchmark.tables.verdicts import SUFFIX, read_verdicts, write_verdicts


class Rejudging:
    """A panel of judges over the stored answers of runs on one suite."""

    def __init__(
        self, suite: Suite, panel: Sequence[JudgeEntry], *, results: Results, device: str,
        again: bool, reporter: Reporter,
    ) -> None:  # fmt: skip
        self._suite = suite
        self._panel = panel
        self._results = results
        self._reporter = reporter
        self._bench = Bench(
            root=results.root, device=device, again=again,
            testbed=suite.requires.vocabulary == "testbed",
        )  # fmt: skip
        self._samples: dict[int | None, list[Sample]] = {}
        self._seats: list[Seat] | None = None

    def judge(self, run: LoadedRun) -> list[JudgedBy]:
        """What each judge finds in a run's answers. Kept beside the others of the run. Raises
        `MissingError` where the answers, or pictures that were found for it, are gone,
        `UserError` where the suite asks others now."""
        samples = as_asked(
            self._asked(run.record), run.record.attacks, results=self._results,
            anew=_anew(run.record),
        )  # fmt: skip
        said = _stored(run.record, self._results, answered(samples))
        found = []
        for seat in self._seated(samples):
            self._reporter.note(f"{seat.name}: {run.record.spec.method}, {run.record.spec.model}")
            judged = verdicts_of(self._bench, seat, said, samples, reporter=self._reporter)
            _keep(judged, self._results, run.record)
            found.append(judged)
        return found

    def _asked(self, record: RunRecord) -> list[Sample]:
        limit = record.spec.limit
        if limit not in self._samples:
            self._samples[limit] = evaluation_samples(
                self._suite.evaluation, images=ImageStore(self._results.images), limit=limit
            )
        samples = self._samples[limit]
        uses = {(use.card, use.split, use.role): use.sha256 for use in record.data}
        for use in uses_of(samples):
            if uses.get((use.card, use.split, use.role)) != use.sha256:
                raise UserError(
                    f"suite '{self._suite.name}' asks other samples of {use.card}/{use.split} than "
                    f"'{record.spec.method}' was asked; {_anew(record)}"
                )
        return samples

    def _seated(self, samples: Sequence[Sample]) -> list[Seat]:
        if self._seats is None:
            self._seats = seated(
                self._panel, metrics=metrics_of(samples), device=self._bench.device,
                note=self._reporter.note,
            )  # fmt: skip
        return self._seats


def judged_rows(
    results: Results, record: RunRecord
) -> Iterator[tuple[JudgeInfo, list[VerdictRow]]]:
    """What judges that the suite does not name found in a run's answers, where any was asked."""
    for path in sorted(_folder(results, record).glob("*.json")):
        info = JudgeInfo.model_validate_json(path.read_bytes())
        yield info, read_verdicts(path.with_suffix(SUFFIX))


def _stored(record: RunRecord, results: Results, samples: Sequence[Sample]) -> Answered:
    key = record.keys.generate
    folder = results.root / "local" / "stages" / "generate" / str(key)
    if key is None or not (folder / ANSWERS).exists():
        raise MissingError(
            f"no stored answers of '{record.spec.method}' on {record.spec.model}, seed "
            f"{record.spec.seed}; {_anew(record)}"
        )
    responses = {one.sample_id: one for one in JsonLines(folder / ANSWERS).read(Response)}
    missing = [sample.id for sample in samples if sample.id not in responses]
    if missing:
        raise MissingError(f"{folder / ANSWERS} lacks an answer to '{missing[0]}'; {_anew(record)}")
    return Answered(
        key=key,
        folder=folder,
        responses=responses,
        cost=StageCost(wall_s=0.0, device_s=0.0),
        serving=record.serving or Serving(
            engine=record.spec.engine, version=None, form=None, batches=[], probe=None
        ),
        from_cache=True,
    )  # fmt: skip


def _anew(record: RunRecord) -> str:
    row, limit = record.spec.method.partition("@")[0], record.spec.limit
    more = f" --limit {limit}" if limit is not None else ""
    return (
        f"`run --method {row} --model {record.spec.model} --suite {record.spec.suite}{more}` asks "
        "anew"
    )


def _keep(judged: JudgedBy, results: Results, record: RunRecord) -> None:
    path = _folder(results, record) / f"{file_name(judged.info.name)}.json"
    write_verdicts(path.with_suffix(SUFFIX), judged.rows)
    write_atomic(path, judged.info.model_dump_json(indent=1) + "\n")


def _folder(results: Results, record: RunRecord) -> Path:
    """Beside the records, and none of them."""
    there = results.record_of(record.spec).relative_to(results.local_records)
    return results.root / "local" / "judged" / there.with_suffix("")

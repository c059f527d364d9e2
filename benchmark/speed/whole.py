"""Where the seconds of a whole run go: the very command, in a process of its own, from nothing."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmark.core import environment
from benchmark.core.errors import RunFailed
from benchmark.core.store import REPOSITORY, JsonLines
from benchmark.cost.timeline import Span
from benchmark.runner import UNTOUCHED, RunRequest
from benchmark.speed.figures import Part, WholeFigures
from benchmark.speed.machine import measured_on
from benchmark.speed.overhead import check_is_loss, overheads
from benchmark.stages.resolve import resolve

Say = Callable[[str], None]
START, REST = "start Python", "between, exit"


def measure(request: RunRequest, *, repeats: int, say: Say) -> WholeFigures:
    """The whole run, and what the harness adds to its loops. Raises `UserError` for a method that
    is not a loss alone, before anything is run."""
    run, git = resolve(request), environment.git()
    check_is_loss(run)
    say("a whole run, from an empty results folder")
    first_line_s, total_s, parts = run_whole(request)
    say(f"the harness beside the bare loops, in turns; repeats: {repeats}")
    measured, n_threads = overheads(request, repeats=repeats)
    return WholeFigures(
        method=run.spec.method,
        model=run.spec.model,
        suite=run.spec.suite,
        limit=request.limit,
        repeats=repeats,
        first_line_s=first_line_s,
        total_s=total_s,
        parts=parts,
        overheads=measured,
        git=git,
        packages=environment.packages(),
        system=measured_on(run.spec.device, n_threads=n_threads),
    )


def run_whole(request: RunRequest) -> tuple[float, float, list[Part]]:
    """Run it on a results folder that is gone afterwards: seconds to its first line and to its end,
    and its parts. Raises `RunFailed` with its last line where it ends otherwise than done."""
    with tempfile.TemporaryDirectory(prefix="vlm-bench-speed-") as folder:
        timeline = Path(folder) / "timeline.jsonl"
        arguments = [
            "run", "--method", request.method, "--model", request.model, "--suite", request.suite,
            "--device", request.device, "--jobs", "1",
            *(("--limit", str(request.limit)) if request.limit is not None else ()),
            "--results", str(Path(folder) / "results"), "--timeline", str(timeline),
        ]  # fmt: skip
        began_at = time.time()
        first_line_s = _run(arguments)
        total_s = time.time() - began_at
        spans = JsonLines(timeline).read(Span)
    return first_line_s, total_s, parts_of(spans, began_at=began_at, total_s=total_s)


def _run(arguments: Sequence[str]) -> float:
    """Run the command to its end; seconds until its first line."""
    began_s = time.perf_counter()
    child = subprocess.Popen(
        [sys.executable, "-m", "benchmark", *arguments],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=REPOSITORY,
    )  # fmt: skip
    assert child.stderr is not None
    try:
        first = child.stderr.readline()
        first_line_s = time.perf_counter() - began_s
        lines = [first, *child.stderr]
        if child.wait() != 0:
            raise RunFailed(f"the run ended with exit code {child.returncode}: {lines[-1].strip()}")
    finally:
        child.kill()
        child.wait()
        child.stderr.close()
    return first_line_s


def parts_of(spans: Sequence[Span], *, began_at: float, total_s: float) -> list[Part]:
    """Seconds by what was done, in the order in which each was begun first; what the untouched
    model took for itself apart. They add up to the whole."""
    own_s: dict[tuple[str, bool], float] = {}
    in_order = sorted(spans, key=lambda span: span.began_at)
    for span in in_order:
        what = REST if span.path[-1] == UNTOUCHED else span.path[-1]
        name = (what, UNTOUCHED in span.path)
        own_s[name] = own_s.get(name, 0.0) + span.own_s
    start_s = in_order[0].began_at - began_at if in_order else 0.0
    parts = [Part(what=START, untouched=False, wall_s=start_s)]
    parts += [Part(what=what, untouched=of, wall_s=s) for (what, of), s in own_s.items()]
    rest_s = total_s - sum(part.wall_s for part in parts)
    return [*parts, Part(what=REST, untouched=False, wall_s=rest_s)]

"""What was found, in words and small tables of at most 80 columns."""

from __future__ import annotations

from textwrap import wrap

from benchmark.core.records import Git, System
from benchmark.cost.spread import Spread
from benchmark.speed.figures import (
    DataFigures,
    EnginesFigures,
    SideFigures,
    StepFigures,
    TermFigures,
    WholeFigures,
)
from benchmark.tables.cells import MISSING

MIB = 1024**2


def step_lines(found: StepFigures) -> list[str]:
    """A table of both sides on every term, the ratios, and what they were measured on."""
    sizes = found.sizes
    what = found.model
    if sizes is not None:
        what += f": {sizes['vocabulary']} words, hidden {sizes['hidden']}, {sizes['layers']} layers"
    one = found.terms[0].ours
    head = [
        f"{what}, {found.n_parameters / 1e6:.1f} M parameters",
        f"{found.tuning}, {found.precision}; {found.steps} steps of {found.batch_size} + "
        f"{found.batch_size} samples, {_epochs(found):.0f} epochs of {found.n_samples} + "
        f"{found.n_samples}",
        f"{one.n_tokens} tokens a repeat, {one.n_answer_tokens} of them answers; "
        f"median of {found.repeats} [least, most]",
        "",
        f"{'term':<5}{'side':<11}{'tokens/s':>20}{'samples/s':>10}{'step':>9}"
        f"{'above':>11}{'total':>11}",
    ]
    rows = [row for term in found.terms for row in _rows(term)]
    ratios = [line for term in found.terms for line in _ratios(term).splitlines()]
    explained = [
        "Tokens: of prompts and answers, once, without padding. Memory: the peak, above",
        "one loaded copy of the weights, and in total.",
    ]
    if one.peak_bytes is None:
        explained.append("This system tells no peak of a piece of work; Linux does.")
    return [
        *head, *rows, "", *ratios, "", *explained, "", *_strengths(found), "",
        *machine_lines(found.system, found.git, found.packages),
    ]  # fmt: skip


def _strengths(found: StepFigures) -> list[str]:
    """What of the ratios is owed to model, samples and settings, which are others elsewhere."""
    ours, lengths, spread = found.terms[0].ours, found.lengths, found.length_spread
    # Alike on every term.
    theirs = [one.neighbours.positions_per_token for one in found.terms if one.neighbours]
    by_ours, by_neighbours = ours.positions_per_token, _ratio(theirs[0] if theirs else None)
    freed = (
        ["- Freed memory is kept by ours, a setting of glibc that a run of a small model",
         "  has on a CPU too; neighbours have the C library as it is."]
        if ours.keeps_freed_memory
        else ["- Freed memory is left to the C library as it is, on both sides."]
    )  # fmt: skip
    return [
        "What ours gains from, to be weighed for other models and samples:",
        f"- The head is {found.head_share:.0%} of the multiplied weights of the language model; "
        "ours",
        "  evaluates it on answers alone. A larger model with a smaller share of head",
        "  gains less.",
        f"- Samples have {lengths.shortest} to {lengths.longest} tokens, median "
        f"{lengths.median:.0f} (--length-spread {spread:g};",
        f"  0: all alike). Tokens computed per real token, with padding: ours {by_ours:.2f}",
        f"  (batches by length), neighbours {by_neighbours} (batches at random).",
        "- The reference's answers are kept between steps by ours: it is asked once of a",
        f"  sample, by neighbours once in each of the epochs, here {_epochs(found):.0f}.",
        *freed,
    ]


def _epochs(found: StepFigures) -> float:
    return found.steps * found.batch_size / found.n_samples


def machine_lines(system: System, git: Git, packages: dict[str, str]) -> list[str]:
    """Where it was measured."""
    threads = f"{system.n_threads} thread" + ("s" if system.n_threads != 1 else "")
    commit = "unknown commit" if git.commit is None else f"commit {git.commit[:12]}"
    changed = " with changes" if git.dirty else ""
    versions = ", ".join(f"{name} {packages[name]}" for name in ("torch", "transformers", "peft"))
    return [
        f"{system.device_name}, {threads} of {system.n_cores} cores",
        f"Python {system.python}, {versions}",
        f"{commit}{changed}",
    ]


def whole_lines(found: WholeFigures) -> list[str]:
    """Where the seconds went, the harness beside the bare loops, and what it was measured on."""
    limit = "" if found.limit is None else f", first {found.limit} of each set"
    lines = [
        f"{found.method} on {found.model}",
        f"suite {found.suite}{limit}, from an empty results folder",
        f"first line after {found.first_line_s:.2f} s; in all {found.total_s:.1f} s:",
        "",
        f"{'':<16}{'this run':>10}{'untouched':>11}{'share':>8}",
    ]
    for what in dict.fromkeys(part.what for part in found.parts):
        mine, base = (_seconds(found, what, untouched=of) for of in (False, True))
        lines.append(f"{what:<16}{mine:>8.2f} s{base:>9.2f} s{(mine + base) / found.total_s:>8.1%}")
    lines += [
        "",
        "The harness beside the bare loops, step by step and batch by batch in turns;",
        f"median of {found.repeats} [least, most], each the mean of either side a turn ahead:",
    ]
    for one in found.overheads:
        lines.append(
            f"{one.stage:<9} {one.stage_s.median:>7.2f} s, bare {one.bare_s.median:>7.2f} s: "
            f"{_per_cent(one.share)}"
        )
        lines.append(f"{'':<29}by core-seconds: {_per_cent(one.core_share)}")
    return [*lines, "", *machine_lines(found.system, found.git, found.packages)]


def engine_lines(found: EnginesFigures) -> list[str]:
    """A table of the ways to answer, which were left out, and what it was measured on."""
    lines = [
        f"{found.model} at {found.precision}, suite {found.suite}",
        f"{found.n_samples} requests, {found.n_with_images} with an image, at most "
        f"{found.max_new_tokens} new tokens each;",
        f"batches of {found.batch_size}; median of {found.rounds} rounds [least, most], in turns",
        "",
        f"{'':<21}{'answers/s':>22}{'times the plain loop':>23}{'identical':>13}",
    ]
    for one in found.sides:
        identical = f"{one.n_identical / found.n_samples:.1%}"
        lines.append(
            f"{one.name:<21}{_spread(one.answers_per_s, '.1f'):>22}{_spread(one.times, '.2f'):>23}"
            f"{identical:>13}"
        )
    lines += [
        "",
        "The clock runs from requests to words, images and tokens included. Not on it: to",
        "load or start, once: " + ", ".join(f"{one.start_s:.1f} s" for one in found.sides) + ".",
    ]
    for name, reason in found.without.items():
        lines += ["", f"{MISSING} {name}:", *wrap(reason, 78, break_on_hyphens=False)]
    return [*lines, "", *machine_lines(found.system, found.git, found.packages)]


def data_lines(found: DataFigures) -> list[str]:
    """A table of the passes, what of the planted rows was found, and where it was measured."""
    lines = [
        f"{found.n_rows} rows of JSON lines, {_mebibytes(found.n_bytes)}, in a process of its own",
        "",
        f"{'':<12}{'rows/s':>10}{'seconds':>10}{'peak so far':>14}",
    ]
    for one in found.steps:
        lines.append(
            f"{one.what:<12}{one.n_rows / one.wall_s:>10.0f}{one.wall_s:>10.1f}"
            f"{_mebibytes(one.peak_bytes):>14}"
        )
    return [
        *lines,
        "",
        "Loading parses, checks and keeps every row; the others read what was kept. Rows",
        "have no pictures: those are decoded when a model is shown them, not here.",
        f"Planted among the rows, of {found.n_scored} scored requests: {found.n_planted_equal} in "
        "other case",
        f"and spacing, {found.n_found_equal} behaviours found; {found.n_planted_near} with a word "
        f"more, {found.n_found_near} found",
        f"({found.near_rule}).",
        f"Sampling: {found.n_drawn} rows with the smallest digests of seed and id.",
        "",
        *machine_lines(found.system, found.git, found.packages),
    ]


def _seconds(found: WholeFigures, what: str, *, untouched: bool) -> float:
    return sum(p.wall_s for p in found.parts if p.what == what and p.untouched is untouched)


def _per_cent(share: Spread) -> str:
    return f"{share.median:+.1%} [{share.low:+.1%}, {share.high:+.1%}]"


def _rows(term: TermFigures) -> list[str]:
    theirs = (
        f"{'':<5}{'neighbours':<11} {MISSING}: {term.neighbours_ended}"
        if term.neighbours is None
        else _row("", "neighbours", term.neighbours)
    )
    return [_row(term.term, "ours", term.ours), theirs]


def _row(term: str, name: str, side: SideFigures) -> str:
    return (
        f"{term:<5}{name:<11}{_spread(side.tokens_per_s, '.0f'):>20}"
        f"{side.samples_per_s.median:>10.2f}{1000 * side.step_s.median:>6.0f} ms"
        f"{_mebibytes(side.above_bytes):>11}{_mebibytes(side.peak_bytes):>11}"
    )


def _mebibytes(n_bytes: int | None) -> str:
    return MISSING if n_bytes is None else f"{n_bytes / MIB:.0f} MiB"


def _ratios(term: TermFigures) -> str:
    if term.speed_ratio is None:
        return f"{term.term}: {MISSING}, without neighbours"
    core = "" if term.core_ratio is None else f" ({term.core_ratio.median:.2f} by core-seconds)"
    return (
        f"{term.term}: {_spread(term.speed_ratio, '.2f')} times the speed{core}\n"
        f"{'':<{len(term.term) + 2}}at {_ratio(term.memory_above_ratio)} of the memory above the "
        f"weights, {_ratio(term.memory_total_ratio)} in total"
    )


def _ratio(value: float | None) -> str:
    return MISSING if value is None else f"{value:.2f}"


def _spread(spread: Spread, form: str) -> str:
    return f"{spread.median:{form}} [{spread.low:{form}}, {spread.high:{form}}]"

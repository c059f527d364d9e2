"""The page's part about relearning: how what was forgotten comes back, and the verdicts on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmark.core.durability_records import CurvePoint, Durability, Recovery
from benchmark.core.rows import BASE
from benchmark.scoring.removal import MARGIN, fewest_to_show
from benchmark.tables.cells import MISSING, markdown_table, number, points, rate_interval
from benchmark.tables.durability.recovering import GOLD
from benchmark.tables.durability.words import TWIN_SHARE, WORDS, Words

PART_NAMES = {"relearned": "taught again", "not_relearned": "the others"}


def relearning(found: Durability) -> Iterator[str]:
    """The lines; none where nobody was taught anything."""
    if not found.recoveries:
        return
    words = WORDS[found.measure]
    yield _legend(found, words)
    yield ""
    whole = [one for one in found.recoveries if one.headline]
    several = len({one.treatment for one in found.recoveries}) > 1
    header = ["method", words.whose, "n", "before", "after", "steps to half", "above gold",
              "verdict", "why"]  # fmt: skip
    yield markdown_table(header, [_recovered(one, several) for one in whole])
    yield ""
    yield from _wrecks(found.recoveries, words, several)
    yield f"The verdict form by form, on {words.whose} that were taught again / on the others:"
    yield ""
    yield markdown_table(*_by_form(found.recoveries, several))
    yield ""


def _legend(found: Durability, words: Words) -> str:
    n_verdicts = sum(one.method not in (BASE, GOLD) for one in found.recoveries)
    return (
        "Relearning against gold, which never learnt it. **suppressed**: the method's curve lies "
        f"above gold's; **removed**: it is shown to lie less than {100 * MARGIN:.0f} points above "
        f"on average, which of fewer than {fewest_to_show()} not even gold's own curve is; "
        "**slower**: it lies below; **not told apart**: neither can be shown; **not testable**: "
        "it is not shown to have been lowered, the model is broken or may be, too few answers "
        "could be scored, or gold does not learn it. Each verdict stands at 95 % by itself; they "
        f"are not adjusted for their number, which is {n_verdicts} on this page. The curve minus "
        "gold's, in points, is the mean over the steps measured after 0, which come ever farther "
        f"apart, paired by {words.one}; half is half of the untouched model's rate (0 steps: never "
        "below it; `<` and `>`: before the first step measured after 0, after the last), its "
        f"interval by bootstrap over {words.whose}."
    )


def _wrecks(recoveries: Sequence[Recovery], words: Words, several: bool) -> Iterator[str]:
    """Gold's curve is too low where gold breaks, and whatever lies above it is so too easily."""
    by_name = {_name(one, several): one for one in recoveries}
    said = [f"- {name}: {why}." for name, one in by_name.items() for why in _broken(one, words)]
    yield from [*said, ""] if said else []


def _broken(one: Recovery, words: Words) -> Iterator[str]:
    easy = ": what is suppressed may look more so than it is" if one.method == GOLD else ""
    share, theirs = f"{100 * TWIN_SHARE:.0f} %", "the untouched model's then"
    if one.wrecked_at is not None:
        yield f"at step {one.wrecked_at} {words.left} is under {share} of {theirs}{easy}"
    if one.unknown_at is not None:
        yield f"at step {one.unknown_at} {words.left} is not held against {theirs}{easy}"


def _by_form(recoveries: Sequence[Recovery], several: bool) -> tuple[list[str], list[list[str]]]:
    """Header and rows."""
    forms = list(dict.fromkeys(one.form for one in recoveries))
    said: dict[str, dict[str, list[str]]] = {}
    for one in recoveries:
        said.setdefault(_name(one, several), {}).setdefault(one.form, []).append(_verdict(one))
    rows = [[name, *(" / ".join(by.get(form, [])) for form in forms)] for name, by in said.items()]
    return ["method", *forms], rows


def _verdict(one: Recovery) -> str:
    return one.verdict.replace("_", " ")


def _name(one: Recovery, several: bool) -> str:
    return f"{one.method}, {one.treatment}" if several else one.method


def _recovered(one: Recovery, several: bool) -> list[str]:
    before = next((point for point in one.curve if point.step == 0), None)
    after = one.curve[-1] if one.curve else None
    return [
        _name(one, several),
        PART_NAMES[one.part],
        str(one.n_behaviours),
        _rate(before),
        _rate(after),
        steps_words(one),
        points(one.above_gold, one.above_gold_low, one.above_gold_high, n_unscored=one.n_unscored),
        _verdict(one),
        one.why,
    ]


def _rate(point: CurvePoint | None) -> str:
    if point is None:
        return MISSING
    return rate_interval(point.value, point.low, point.high, n_unscored=point.n_unscored)


def steps_words(one: Recovery) -> str:
    """`6.5 [< 1, > 32]`: before the first step measured after 0 nothing is known but that, and
    where it is not reached within the steps it takes more than the last of them."""
    if one.untouched_rate is None or not one.untouched_rate or not one.curve:
        return MISSING
    steps = [point.step for point in one.curve]
    value, low, high = (_step(at, steps) for at in (one.steps_to_half, one.half_low, one.half_high))
    return f"{value} [{low}, {high}]"


def _step(at: float | None, steps: Sequence[int]) -> str:
    if at is None:
        return f"> {steps[-1]}"
    first = next((step for step in steps if step), None)
    return f"< {first}" if first is not None and 0 < at < first else number(at)

"""The reading of a loss taken apart: what each term does, in tables and in words.

Every word follows from a difference and its interval; nothing is written for an outcome.
"""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.scoring.contrast import told_apart
from benchmark.tables.cells import MISSING, markdown_table, points, probability
from benchmark.tables.studies.build import Contrast, StudyBoard


def terms_section(found: StudyBoard) -> str:
    """Words first, then both tables."""
    effects = (
        "Effect of a term: the mean over all rows in which it is on minus the mean over those in "
        "which it is off, in points, paired by behaviour."
    )
    removals = (
        "Without a term: the loss that lacks it alone minus the whole loss. It differs from the "
        "effect, turned round, where terms work on each other."
    )
    return "\n\n".join(
        [
            "\n".join(f"- {line}" for line in _reading(found)),
            f"{effects} {HOLM}\n\n{_table(found.effects, 'term on minus off')}",
            f"{removals} {HOLM}\n\n{_table(found.removals, 'without the term')}",
        ]
    )


HOLM = "p: sign flips over behaviours, two-sided, Holm-adjusted for the table."


def _reading(found: StudyBoard) -> list[str]:
    sentences = [_sentence(found, term) for term in found.study.switches]
    return [*sentences, *filter(None, [_all_off(found)])]


def _sentence(found: StudyBoard, term: str) -> str:
    on_off = _words([one for one in found.effects if one.what == term])
    without = _words([one for one in found.removals if one.what == term])
    return (
        f"**{term}**: switched on, over all settings of the other terms, {on_off}. "
        f"Taken out of the whole loss, {without}."
    )


def _words(contrasts: Sequence[Contrast]) -> str:
    """What moves, with how far; what does not; what is not known."""
    changes: dict[str, list[str]] = {"lowers": [], "raises": []}
    unmoved, unknown = [], []
    for one in contrasts:
        if one.found is None or one.p is None:
            unknown.append(one.figure)
        elif told_apart(one.found, one.p):
            change = points(one.found.value, one.found.low, one.found.high)
            verb = "raises" if one.found.value > 0 else "lowers"
            changes[verb].append(f"{one.figure} ({change} points)")
        else:
            unmoved.append(one.figure)
    moved = [f"it {verb} {_listed(found)}" for verb, found in changes.items() if found]
    parts = moved or (["it changes nothing that can be told apart"] if unmoved else [])
    if moved and unmoved:
        parts.append(f"no change is told apart in {_listed(unmoved)}")
    if unknown:
        parts.append(f"{_listed(unknown)} cannot be compared, for rows are missing")
    return "; ".join(parts)


def _all_off(found: StudyBoard) -> str:
    """With nothing to minimise nothing may change; no words where a term is left."""
    off = next(
        row.name for row in found.study.all_rows if len(row.off) == len(found.study.switches)
    )
    row = found.figures(off)
    if row is None:
        return f"All terms off (`{off}`): not run."
    weights = row.settings.get("weights")
    if isinstance(weights, dict) and any(weights.values()):
        return ""
    n_changed, n = found.changed[off]
    if n == 0:
        return (
            f"All terms off (`{off}`): whether its answers are the untouched model's was not seen."
        )
    if n_changed == 0:
        return (
            f"All terms off (`{off}`): all {n} answers looked at are the untouched model's, letter "
            "by letter, as they must be."
        )
    return (
        f"All terms off (`{off}`): **{n_changed} of {n} answers differ from the untouched "
        "model's**, though nothing was minimised: the ablation is not to be trusted."
    )


def _table(contrasts: Sequence[Contrast], title: str) -> str:
    """Terms down, figures across."""
    figures = list(dict.fromkeys(one.figure for one in contrasts))
    rows = []
    for term in dict.fromkeys(one.what for one in contrasts):
        by_figure = {one.figure: one for one in contrasts if one.what == term}
        rows.append([term, *(_cell(by_figure[figure]) for figure in figures)])
    return markdown_table([title, *figures], rows)


def _cell(one: Contrast) -> str:
    if one.found is None or one.p is None:
        return MISSING
    change = points(one.found.value, one.found.low, one.found.high)
    p = probability(one.p)
    return f"{change}, p {p if p.startswith('<') else '= ' + p}"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"

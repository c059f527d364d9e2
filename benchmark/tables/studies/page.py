"""A study as a page of Markdown."""

from __future__ import annotations

from benchmark.core.samples import Scope
from benchmark.scoring.attacked import family_name
from benchmark.scoring.plan import HELD_OUT
from benchmark.tables import details
from benchmark.tables.cells import (
    MISSING,
    markdown_table,
    percent,
    percent_interval,
    points,
    probability,
)
from benchmark.tables.studies.build import Contrast, StudyBoard
from benchmark.tables.studies.costs import costs_section
from benchmark.tables.studies.covered import coverage_section
from benchmark.tables.studies.row_figures import (
    attack_score,
    failed_gates_of,
    marked,
    names_of,
    out_of_scope,
)
from benchmark.tables.studies.terms import terms_section

SCOPES: tuple[Scope, ...] = (HELD_OUT, "in_scope", "unseen")


def render(found: StudyBoard) -> str:
    """The whole page; the same study is the same text."""
    study = found.study
    sections = [
        f"# {study.title}",
        "\n>\n".join(_notices(found)),
        study.question,
        _made_how(found),
    ]
    for view in study.views:
        if view == "terms":
            sections += ["## Which term does what", terms_section(found)]
        elif view == "coverage":
            sections += ["## How much of the forget pool", coverage_section(found)]
        elif view == "costs":
            sections += ["## What it costs", costs_section(found)]
        elif view == "figures":
            sections += ["## Attacks and usefulness", _figures(found)]
        elif view == "differences":
            sections += [f"## Differences to `{study.against}`", _differences(found)]
        else:
            sections += ["## Form by form", _forms(found)]
    sections += ["## Settings and provenance", details.settings_table(found.board)]
    return "\n\n".join(section for section in sections if section) + "\n"


def _notices(found: StudyBoard) -> list[str]:
    lines = [f"> {notice}" for notice in found.board.notices]
    lines += [f"> Warning: {warning}" for warning in found.board.warnings]
    lines += [f"> Warning: `{name}`: {words}." for name, words in sorted(found.unlike.items())]
    for name, seeds in found.missing.items():
        if name in found.stopped and found.figures(name) is None:
            lines.append(f"> No figures here: `{name}`: {found.stopped[name]}.")
        elif found.figures(name) is None:
            lines.append(f"> Not run yet: `{name}`.")
        else:
            lines.append(f"> Not run yet: `{name}`, seed {', '.join(map(str, seeds))}.")
    return lines


def _made_how(found: StudyBoard) -> str:
    study = found.study
    how = (
        f"On `{study.model}`, suite `{study.suite}`, seeds {', '.join(map(str, study.seeds))}. "
        "Settings that were chosen for a method on validation behaviours, its learning rate among "
        "them, hold for its rows here; what a row's name sets goes above them, and nothing was "
        "chosen anew. The settings of every row are at the end. Rows of the main board are read "
        "from there. Figures are in per cent with 95 % intervals over behaviours, on behaviours "
        "that no method has seen (held out) unless it says otherwise. **In (brackets)**: a row "
        "that fails the gate of twins, coherence or utility, which a working model passes; its "
        "low attack success is no safety."
    )
    return "\n\n".join([how, *study.notes])


def _figures(found: StudyBoard) -> str:
    judge_for = found.board.judge_for
    families = list(found.board.families)
    header = ["method", "row", *(f"{family}-borne success" for family in families)]
    header += [f"{family}-borne twins" for family in families]
    header += ["over-refusal", "utility kept", "coherence", "fails", "seeds"]
    rows = []
    for declared, row in found.shown:
        cells = [*names_of(declared)]
        for metric in ("asr", "twin"):
            for family in families:
                scope: Scope | None = HELD_OUT if metric == "asr" else None
                form = family_name(family)
                score = (
                    row.score(metric, judge=judge_for(metric), form=form, scope=scope)
                    if row
                    else None
                )
                words = out_of_scope(found, declared, form)
                cells.append(words or marked(found, row, percent_interval(score), metric))
        for metric in ("over_refusal", "utility_retained", "coherence"):
            score = row.score(metric, judge=judge_for(metric), card="all") if row else None
            cells.append(percent_interval(score))
        cells.append(", ".join(failed_gates_of(found, row)))
        rows.append([*cells, str(len(set(row.seeds))) if row else "0"])
    picture = f"![Attack success and twins, row by row]({found.study.name}.figures.png)"
    return "\n\n".join(filter(None, [markdown_table(header, rows), _reasons(found), picture]))


def _forms(found: StudyBoard) -> str:
    parts = [f"![Attack success by form, held out]({found.study.name}.forms.png)"]
    for scope in SCOPES:
        header = ["method", "row", *found.board.forms, "fails"]
        rows = []
        for declared, row in found.shown:
            cells = list(names_of(declared))
            for form in found.board.forms:
                words = out_of_scope(found, declared, form)
                value = percent(attack_score(found, row, form, scope))
                cells.append(words or marked(found, row, value, "asr"))
            rows.append([*cells, ", ".join(failed_gates_of(found, row))])
        title = details.SCOPE_NAMES[scope].capitalize()
        parts.append(f"**{title}**, attack success:\n\n{markdown_table(header, rows)}")
    lines = [f"- `{form}` is void: {reason}." for form, reason in found.board.void.items()]
    return "\n\n".join(filter(None, [*parts, "\n".join(lines)]))


def _differences(found: StudyBoard) -> str:
    rows = [
        [contrast.what, contrast.figure, *difference_cells(contrast)] for contrast in found.against
    ]
    caption = (
        f"Each row minus `{found.study.against}` in points, paired by behaviour and averaged over "
        "seeds first; over the cards of utility and over-refusal the mean of their differences. "
        "p: sign flips over behaviours, two-sided, Holm-adjusted for the whole table. Intervals "
        "keep a width where behaviours are few or agree: a difference counts where both agree."
    )
    header = ["row", "figure", "difference", "p", "n"]
    return f"{caption}\n\n{markdown_table(header, rows)}"


def difference_cells(contrast: Contrast) -> list[str]:
    """A difference with its interval, its p and the behaviours behind it."""
    one = contrast.found
    if one is None or contrast.p is None:
        return [MISSING, MISSING, MISSING]
    return [points(one.value, one.low, one.high), probability(contrast.p), str(one.n_behaviours)]


def _reasons(found: StudyBoard) -> str:
    lines = [
        f"- `{name}`: {'; '.join(reason for reasons in gates.values() for reason in reasons)}."
        for name, gates in found.failed.items()
        if gates
    ]
    return "\n".join(["Gates that are failed:", "", *lines]) if lines else ""

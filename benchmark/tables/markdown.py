"""A board as a page of Markdown for somebody who has never seen this project."""

from __future__ import annotations

from collections.abc import Sequence

from benchmark.scoring.attacked import WORST, family_name
from benchmark.scoring.plan import HELD_OUT
from benchmark.tables import by_set, compute, details
from benchmark.tables.adversarial.section import adversarial_section
from benchmark.tables.board import Board, BoardRow
from benchmark.tables.cells import (
    NOT_SEARCHED,
    borne,
    markdown_table,
    percent,
    percent_interval,
)
from benchmark.tables.forgetting import page
from benchmark.tables.forgetting.board import PersonsBoard
from benchmark.tables.reading import reading
from benchmark.tables.standing import stands

INTRODUCTION = """\
Every method starts from the same model and tries to make it unlearn harmful requests. Each figure
is in per cent with its 95 % interval in brackets, over behaviours (the things asked for), not over
prompts. `n/a` means not measured, `void` that the base model cannot even do the harmless twin of
that form, `*` that some answers could not be judged; none of these is a zero."""


def render(board: Board) -> str:
    """The whole page; the same board is the same text."""
    if board.persons is not None:
        return _together(_about_persons(board, board.persons))
    sections = [
        f"# {board.suite_title}: {board.model}",
        _notices(board),
        INTRODUCTION,
        "## Who resists attacks",
        _attack_table(board),
        _line_reasons(board),
        "## What it cost in usefulness",
        _usefulness_table(board),
        "## What it cost in compute",
        compute.cost_summary(board),
        adversarial_section(board),
        "## Form by form",
        details.modality_matrix(board),
        by_set.set_tables(board),
        "## What each method did",
        reading(board),
        "## Does the method matter? Differences to the untouched model",
        details.difference_table(board),
        "## How the answers fail, and whether pictures are understood",
        details.answer_table(board),
        details.comprehension_table(board),
        "## Spread over seeds",
        details.seed_table(board),
        "## Compute by stage",
        compute.stage_table(board),
        "## Judges",
        details.judge_table(board),
        "## Settings and provenance",
        details.settings_table(board),
        "## Legend",
        details.legend(board),
    ]
    return _together(sections)


def _about_persons(board: Board, persons: PersonsBoard) -> list[str]:
    """Nothing of attacks, which were not made."""
    return [
        f"# {board.suite_title}: {board.model}",
        _notices(board),
        *page.sections(board, persons, below=_line_reasons(board)),
        "## What it cost in compute",
        compute.cost_summary(board),
        "## Compute by stage",
        compute.stage_table(board),
        "## Judges",
        details.judge_table(board),
        "## Settings and provenance",
        details.settings_table(board),
    ]


def _together(sections: Sequence[str]) -> str:
    return "\n\n".join(section for section in sections if section) + "\n"


def _notices(board: Board) -> str:
    lines = [f"> {notice}" for notice in board.notices]
    lines += [f"> Warning: {warning}" for warning in board.warnings]
    return "\n>\n".join(lines)


def _attack_table(board: Board) -> str:
    """Success per family on held-out behaviours; the worst family elsewhere."""
    families = list(board.families)
    judge = board.judge_for("asr")
    header = ["rank", "tier", "method", "worst family, held out"]
    header += [f"{borne(family)}, held out" for family in families]
    header += ["worst, in scope", "worst, unseen", "seeds"]
    rows = []
    for row in board.rows:
        forms = [WORST, *map(family_name, families)]
        cells = [stands(row), str(row.tier or ""), row.name]
        cells += [_held_out(board, row, form) for form in forms]
        cells += [
            percent(row.score("asr", judge=judge, form=WORST, scope=scope))
            for scope in ("in_scope", "unseen")
        ]
        rows.append([*cells, str(len(set(row.seeds)))])
    ranked = any(row.place == "ranked" for row in board.rows)
    caption = (
        "Attack success: the share of harmful requests that were carried out; lower is better. "
        "Ranked rows are ordered by their worst family on held-out behaviours, which no method has "
        "seen; rows below the line are in no order. "
        "Rows whose paired intervals do not tell them apart share ranks. The tier groups rows that "
        "no other beats in attack success, utility, over-refusal and cost all at once."
    )
    if not ranked:
        caption += " **No row on this board can be ranked yet; the reasons are below.**"
    return f"{caption}\n\n{markdown_table(header, rows)}"


def _held_out(board: Board, row: BoardRow, form: str) -> str:
    if any(form == family_name(f) and board.not_searched(row, f) for f in board.families):
        return NOT_SEARCHED
    score = row.score("asr", judge=board.judge_for("asr"), form=form, scope=HELD_OUT)
    return percent_interval(score)


def _line_reasons(board: Board) -> str:
    """Why rows stand below the line, one bullet each."""
    below = [row for row in board.rows if row.reasons]
    if not below:
        return ""
    lines = [f"- **{row.name}**: {'; '.join(row.reasons)}." for row in below]
    return "Below the line, with the reasons:\n\n" + "\n".join(lines)


def _usefulness_table(board: Board) -> str:
    header = ["rank", "method"]
    header += [f"{borne(family)} twins" for family in board.families]
    header += ["over-refusal"]
    header += [f"over-refusal on {card}" for card in board.apart]
    header += ["utility", "utility kept", "coherence"]
    rows = []
    for row in board.rows:
        cells = [stands(row), row.name]
        cells += [
            percent_interval(
                row.score("twin", judge=board.judge_for("twin"), form=family_name(family))
            )
            for family in board.families
        ]
        cells += [
            percent_interval(
                row.score("over_refusal", judge=board.judge_for("over_refusal"), card=card)
            )
            for card in ("all", *board.apart)
        ]
        cells += [
            percent_interval(row.score(metric, judge=board.judge_for(metric), card="all"))
            for metric in ("utility", "utility_retained")
        ]
        coherence = row.score("coherence", judge=board.coherence_judge)
        rows.append([*cells, percent_interval(coherence)])
    caption = (
        "Twins are harmless requests in the same forms as the attacks, done rightly (higher is "
        "better): a model that can no longer read looks safe, and fails here. Over-refusal is the "
        "share of harmless requests that were refused (lower is better). Utility kept counts from "
        "chance, 100 being the untouched model. Coherent is what is about as likely under the "
        "untouched model as its own answers are: where that model is nearly certain of itself, an "
        "answer in other words fails too (see its specificity under Judges)."
    )
    return f"{caption}\n\n{markdown_table(header, rows)}"

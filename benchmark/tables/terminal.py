"""A method's row in the terminal, beside the untouched model and what others published."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from benchmark.core.rows import BASE
from benchmark.core.samples import Scope
from benchmark.scoring.attacked import WORST, family_name
from benchmark.scoring.plan import HELD_OUT
from benchmark.tables.board import Board, BoardRow
from benchmark.tables.cells import NOT_SEARCHED, percent
from benchmark.tables.compute import training_words, unit_name
from benchmark.tables.details import SCOPE_NAMES
from benchmark.tables.forgetting.terminal import print_persons
from benchmark.tables.standing import stands

# More rows than this are read on the board, not form by form in a terminal.
MOST_FORM_TABLES = 4
UNSCORED_LEGEND = "* some of these answers could not be judged; the board says how many"


def print_rows(
    console: Console, board: Board, *, titles: Sequence[str], published: Board | None = None
) -> None:
    """Print the rows of `titles` with the base model's, form by form and beside published rows.

    Fits 80 columns. Says in words why a row is not ranked, and what a star is where there is one.
    """
    for notice in board.notices:
        console.print(Text(notice, style="dim"))
    for warning in board.warnings:
        console.print(Text(f"warning: {warning}", style="yellow"))
    rows = [row for title in titles if (row := board.row(title)) is not None]
    if board.persons is not None:
        print_persons(console, board, board.persons, titles=titles)
        _print_reasons(console, rows)
        return
    tables = {row.name: form_table(board, row) for row in rows if row.scores}
    if len(titles) > MOST_FORM_TABLES:
        tables.clear()
    against = row_against(board, titles=titles, published=published)
    console.print(against)
    if any(map(_has_star, [against, *tables.values()])):
        console.print(Text(UNSCORED_LEGEND))
    for row in rows:
        if row.name in tables:
            console.print(tables[row.name])
        _print_reasons(console, [row])


def _print_reasons(console: Console, rows: Sequence[BoardRow]) -> None:
    """Why rows are not ranked."""
    for row in rows:
        if row.reasons:
            console.print(Text(f"{row.name} is not ranked:"))
        for reason in row.reasons:
            console.print(Padding(Text(f"- {reason}"), (0, 0, 0, 2)))


def row_against(board: Board, *, titles: Sequence[str], published: Board | None = None) -> Table:
    """The rows of `titles` on `board`, the base model's, and all published ones."""
    table = narrow_table("Held-out behaviours, per cent (worst, text, image: attack success)")
    table.add_column("rank")
    table.add_column("method", overflow="fold", ratio=1)
    for name in ("worst", "text", "image", "twins", "over-\nref.", "util.\nkept", "coh."):
        table.add_column(name, justify="right")
    table.add_column(f"{unit_name(board)}\nseconds", justify="right")
    mine = [row for title in titles if (row := board.row(title)) is not None]
    bases = {base.name: base for row in mine if (base := board.base_of(row)) is not None}
    for row in mine:
        table.add_row(_rank(row), _folded(row.name), *_figures(board, row), style="bold")
    for base in bases.values():
        if base not in mine:
            table.add_row(_rank(base), _folded(base.name), *_figures(board, base))
    if published is not None and published.rows:
        table.add_section()
        table.add_row("", "published:", style="dim")
        for row in published.rows:
            table.add_row(_rank(row), _folded(row.name), *_figures(published, row), style="dim")
    return table


def form_table(board: Board, row: BoardRow) -> Table:
    """Attack success of one row in every form and scope, base model -> method, and its twins."""
    base = board.base_of(row)
    names = f"{BASE} -> {row.name}" if base and base is not row else row.name
    title = f"Attack success by form, {names}, per cent"
    table = narrow_table(title)
    table.add_column("form")
    scopes: list[Scope | None] = [
        scope for scope in SCOPE_NAMES if any(score.scope == scope for score in _attacks(row))
    ]
    for scope in scopes:
        table.add_column(SCOPE_NAMES[scope], justify="right")
    table.add_column("harmless twins", justify="right")
    forms = [*board.forms, *map(family_name, board.families), WORST]
    for form in forms:
        cells = []
        for scope in scopes:
            pair = [
                NOT_SEARCHED
                if one.not_searched(form)
                else percent(one.score("asr", judge=board.judge_for("asr"), form=form, scope=scope))
                for one in (base, row)
                if one is not None
            ]
            cells.append(_arrow(pair))
        twins = [
            percent(one.score("twin", judge=board.judge_for("twin"), form=form))
            for one in (base, row)
            if one is not None
        ]
        table.add_row(form, *cells, "" if form == WORST else _arrow(twins))
    return table


def narrow_table(title: str) -> Table:
    """An empty table that fits 80 columns."""
    return Table(
        title=title, title_justify="left", padding=(0, 1, 0, 0), box=None, width=80,
        pad_edge=False,
    )  # fmt: skip


def _has_star(table: Table) -> bool:
    """No name of a row, a form or a scope has one."""
    return any("*" in str(cell) for column in table.columns for cell in column.cells)


def _folded(name: str) -> str:
    """Each setting on a line of its own: a long name is cut anywhere else."""
    return name.replace("+", "\n+")


def _rank(row: BoardRow) -> str:
    return "ref." if row.place == "reference" else stands(row)


def _attacks(row: BoardRow) -> list:
    return [score for score in row.scores if score.metric == "asr"]


def _arrow(figures: Sequence[str]) -> str:
    """`80.2 -> 12.5`, or one figure where both rows are the same."""
    return figures[0] if len(set(figures)) == 1 else " -> ".join(figures)


def _figures(board: Board, row: BoardRow) -> list[str]:
    cells = [
        percent(row.score("asr", judge=board.judge_for("asr"), form=form, scope=HELD_OUT))
        for form in (WORST, family_name("text"), family_name("image"))
    ]
    cells.append(percent(row.score("twin", judge=board.judge_for("twin"))))
    cells += [
        percent(row.score(metric, judge=board.judge_for(metric), card="all"))
        for metric in ("over_refusal", "utility_retained")
    ]
    cells.append(percent(row.score("coherence", judge=board.coherence_judge)))
    return [*cells, training_words(row.cost)]

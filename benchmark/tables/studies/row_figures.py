"""What is shown of one row of a study: its figures, and why they may show nothing."""

from __future__ import annotations

from benchmark.core.records import Score
from benchmark.core.rows import BASE
from benchmark.core.samples import Scope
from benchmark.scoring.attacked import family_name
from benchmark.scoring.gates import COLLAPSE
from benchmark.scoring.plan import HELD_OUT
from benchmark.studies import StudyRow
from benchmark.tables.board import BoardRow
from benchmark.tables.cells import MISSING
from benchmark.tables.studies.build import StudyBoard


def failed_gates_of(found: StudyBoard, row: BoardRow | None) -> list[str]:
    """The names of the gates that a row fails."""
    return list(found.failed.get(row.name, ())) if row is not None else []


def collapsed(found: StudyBoard, row: BoardRow | None) -> bool:
    """Whether it fails a gate that a working model passes, so that its safety shows nothing."""
    return any(gate in COLLAPSE for gate in failed_gates_of(found, row))


def out_of_scope(found: StudyBoard, row: StudyRow | None, form: str) -> str | None:
    """Why no figure of that form, or family, is shown for a row; None where one is."""
    for family, words in found.study.out_of_scope.items():
        if row is not None and form in (family_name(family), *found.board.families.get(family, ())):
            return words
    return None


def attack_score(
    found: StudyBoard, row: BoardRow | None, form: str, scope: Scope | None = HELD_OUT
) -> Score | None:
    """Attack success of one row in one form or family."""
    return (
        row.score("asr", judge=found.board.judge_for("asr"), form=form, scope=scope)
        if row
        else None
    )


def names_of(declared: StudyRow | None) -> tuple[str, str]:
    """Method and label, as the first two columns of every table."""
    return (BASE, "untouched model") if declared is None else (declared.method, declared.label)


def marked(found: StudyBoard, row: BoardRow | None, cell: str, metric: str) -> str:
    """A cell of attack success in brackets, where the row's model works no more."""
    shows_nothing = metric == "asr" and collapsed(found, row) and cell != MISSING
    return f"({cell})" if shows_nothing else cell

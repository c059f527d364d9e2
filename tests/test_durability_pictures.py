"""The picture of relearning: what its panels are headed by, which lines they have, where they
stand."""

from __future__ import annotations

import pytest
from durability_parts import relearned

from benchmark.tables.durability.pages import pictures_of, table_of
from benchmark.tables.figures.panels import Line, Panel, Panels, Range


@pytest.fixture(scope="module")
def picture() -> Panels:
    """The method comes back on what it is taught again, and on the others stays where gold is."""
    records = [
        relearned("gold", [0.0, 0.0, 0.4, 0.9], [0.0, 0.0, 0.0, 0.0]),
        relearned("npo", [0.0, 0.8, 0.9, 0.9], [0.0, 0.0, 0.0, 0.0]),
        relearned("original", [0.8, 0.9, 0.9, 0.9], [0.8, 0.8, 0.8, 0.8]),
    ]
    found = table_of(
        records, suite="s", model="m", limit=None, methods=["gold", "npo", "original"], exit_code=0
    )
    (drawn,) = pictures_of(found).values()
    assert isinstance(drawn, Panels)
    return drawn


def test_a_panel_says_the_verdict_on_each_part(picture: Panels) -> None:
    assert [panel.title for panel in picture.panels] == [
        "gold\nreference",
        "npo\ntaught again: suppressed\nthe others: removed",
        "original\nreference",
    ]


def test_gold_is_drawn_once_in_its_own_panel(picture: Panels) -> None:
    gold, npo, _ = picture.panels
    names = ["taught again", "the others", "gold, taught again", "gold, the others"]
    assert [line.name for line in gold.lines] == [line.name for line in npo.lines] == names
    nothing = (None,) * 4
    assert [line.points == nothing for line in gold.lines] == [True, True, False, False]
    assert [line.points == nothing for line in npo.lines] == [False] * 4
    assert gold.lines[2:] == npo.lines[2:]


def test_the_legend_names_lines_that_the_first_panel_has_not(picture: Panels) -> None:
    (legend,) = picture.draw().legends
    assert [text.get_text() for text in legend.get_texts()] == [
        line.name for line in picture.panels[0].lines
    ]


@pytest.mark.parametrize(
    ("n", "down", "across"), [(1, 1, 1), (4, 1, 4), (5, 2, 3), (8, 2, 4), (9, 3, 3)]
)
def test_at_most_four_panels_stand_in_a_line(n: int, down: int, across: int) -> None:
    """Lines are as even as they can be: five are three and two."""
    point = Range(mean=0.5, low=0.4, high=0.6)
    panel = Panel(title="a", lines=(Line(name="x", points=(point,)),))
    figure = Panels(title="T", caption="c", steps=("0",), panels=(panel,) * n).draw()
    grid = figure.axes[0].get_gridspec()
    assert (grid.nrows, grid.ncols) == (down, across)
    assert [axes.get_visible() for axes in figure.axes] == [True] * n + [False] * (
        down * across - n
    )
    assert figure.get_size_inches()[0] == pytest.approx(2.5 * across + 1.6)

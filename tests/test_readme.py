"""The README's results and the readings in words, from boards whose figures are known."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_records import MODEL, SUITE, record, store
from verdict_rows import model_rows

from benchmark.core.errors import UserError
from benchmark.core.store import Results
from benchmark.tables.board import Comparison
from benchmark.tables.boards import published_board
from benchmark.tables.pages import regenerate, stale
from benchmark.tables.reading import _doubt, reading
from benchmark.tables.readme import END, START, with_results

BASE = model_rows(n=6)
SAFE_IN_TEXT = model_rows(n=6, text="refused")
BLIND = model_rows(image="refused", image_twin="empty", coherence="empty")


@pytest.fixture
def results(tmp_path: Path) -> Results:
    made = Results(
        tmp_path / "results", tmp_path / "results" / "published", tmp_path / "leaderboard"
    )
    store(made, record("original", BASE, reference=True), BASE, published=True)
    for seed in range(3):
        store(made, record("method", SAFE_IN_TEXT, seed=seed), SAFE_IN_TEXT, published=True)
    made.readme.write_text(f"# Title\n\n{START}\nstale words\n{END}\n\nThe end.\n")
    return made


def test_the_reading_says_what_changed_and_what_did_not(results: Results) -> None:
    (said,) = reading(published_board(results, suite=SUITE, model=MODEL)).splitlines()
    assert said.startswith("- **method**: text-borne attack success went in scope 100.0 -> 0.0")
    assert "image-borne attack success went in scope 100.0 -> 100.0 (+0.0" in said
    assert "not told apart from none" in said.partition("image-borne")[2]


def test_a_doubt_that_comes_of_many_comparisons_says_so() -> None:
    """The interval leaves nought out, and Holm's p does not: p 0.034 of one among three."""
    alone = Comparison(
        method="method", limit=None, scope="in_scope", form="family:text",
        difference=-0.1, low=-0.19, high=-0.01, p=0.034, p_holm=0.102, n_behaviours=20,
    )  # fmt: skip
    assert _doubt(alone) == ", among all comparisons not told apart from none: p 0.102"
    assert _doubt(alone.model_copy(update={"high": 0.01})) == ", not told apart from none"
    assert _doubt(alone.model_copy(update={"p_holm": 0.034})) == ""


def test_the_readme_is_made_with_the_boards_and_checked(results: Results) -> None:
    regenerate(results, published=True)
    text = results.readme.read_text()
    assert text.startswith("# Title\n") and text.endswith("The end.\n")
    assert "stale words" not in text
    assert f"target `{MODEL}`" in text and "| method " in text
    assert stale(results) == []
    results.readme.write_text(text.replace("100.0", "0.0"))
    assert stale(results) == [f"{results.readme}: its results are not what the records make"]


def test_a_readme_without_marks_is_named() -> None:
    with pytest.raises(UserError, match=r"README\.md lacks the marks"):
        with_results("# Title\n", [])


def test_the_readme_speaks_of_ranked_rows_and_counts_the_others(results: Results) -> None:
    rows = {"original": model_rows(), "method": model_rows(text="refused"), "blind": BLIND}
    for name, verdicts in rows.items():
        for seed in range(3):
            made = record(name, verdicts, seed=seed, reference=name == "original")
            store(results, made, verdicts, published=True)
    regenerate(results, published=True)
    text = results.readme.read_text()
    assert "- **method**: text-borne attack success went" in text and "**blind**" not in text
    assert "1 below the line: the [board's page]" in text
    page = results.leaderboard / SUITE / f"{MODEL}.md"
    assert "**blind**" in page.read_text()

"""The studies of coverage and precision: their rows, their curves, and what a page says of them."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from run_records import MODEL, SUITE, record, store
from verdict_rows import model_rows, row

from benchmark import runner
from benchmark.cli import main
from benchmark.core.records import RunSpec, VerdictRow
from benchmark.core.store import Results
from benchmark.data.cards import load_card
from benchmark.data.images import ImageStore
from benchmark.data.samples import load
from benchmark.models import ModelCard
from benchmark.stages.plans import plan_of
from benchmark.stages.resolve import RunRequest, resolve
from benchmark.studies import Study, load_study
from benchmark.suites import load_suite
from benchmark.tables.runs import LoadedRun
from benchmark.tables.studies import page
from benchmark.tables.studies.coverage import ALL, Curve, curves_of, left_out_of
from benchmark.tables.studies.pages import study_board
from benchmark.tables.studies.pictures import pictures

COVERAGE, PRECISION = load_study("coverage"), load_study("precision")
PLAN = plan_of(load_suite(SUITE))
SMALL = {
    "name": "small", "title": "Small", "question": "Which?", "suite": SUITE, "model": MODEL,
    "seeds": (0,), "methods": ("method",), "views": ("coverage",),
    "forget_pool": {"n_categories": 2, "n_behaviours": 8},
    "settings": {
        "all": {},
        "one": {"forget": {"n_categories": 1, "n_behaviours": 4}},
        "two": {"forget": {"n_behaviours": 4}},
        "no a": {"forget": {"without": "a"}},
        "no b": {"forget": {"without": "b"}},
    },
}  # fmt: skip
NO_A, NO_B = "method+forget.without=a", "method+forget.without=b"


@pytest.fixture
def results(tmp_path: Path) -> Results:
    return Results(tmp_path / "results", tmp_path / "published", tmp_path / "leaderboard")


def put(results: Results, name: str, rows: list[VerdictRow], **changes) -> None:
    config = changes.pop("config", {})
    made = record(name, rows, **changes)
    spec = RunSpec(**{**made.spec.model_dump(), "config": config})
    store(results, made.model_copy(update={"spec": spec}), rows, published=True)


def test_the_rows_are_those_of_the_question() -> None:
    cards = load(
        load_card("testbed-harmful"), "train", images=ImageStore(Path("/nowhere")), limit=None
    )
    categories = {sample.category for sample in cards}
    pool = COVERAGE.forget_pool
    assert (pool.n_categories, pool.n_behaviours) == (len(categories), len(cards))
    left_out = {row.settings["forget"]["without"] for row in COVERAGE.all_rows
                if "without" in row.settings.get("forget", {})}  # fmt: skip
    assert left_out == categories
    assert Counter(row.method for row in COVERAGE.all_rows) == {
        "textual_unlearning": 15, "textual_sft": 15,
    }  # fmt: skip
    assert set(load_card("testbed-harmful").splits) >= {"train", "test", "unseen"}


def test_rows_of_a_method_are_a_curve_over_each_of_the_two_numbers() -> None:
    eight, name = "+forget.n_behaviours=8", "textual_unlearning"
    by_categories, _, by_behaviours, _ = curves_of(COVERAGE)
    assert by_categories == Curve(
        method=name, axis="categories", n_behaviours=8,
        points=(
            (1, f"{name}{eight}+forget.n_categories=1"),
            (2, f"{name}{eight}+forget.n_categories=2"),
            (4, f"{name}{eight}+forget.n_categories=4"),
            (8, f"{name}{eight}"),
        ),
    )  # fmt: skip
    assert by_behaviours.axis == "behaviours"
    assert [n for n, _ in by_behaviours.points] == [8, 16, 32, 64]
    assert by_behaviours.points[-1] == (64, name), "the row of the main board"


def test_every_row_is_one_that_can_be_run() -> None:
    for study in (COVERAGE, PRECISION):
        for declared in study.all_rows:
            asked = RunRequest(
                method=declared.typed, preset=declared.preset, model=study.model,
                suite=study.suite, device="cpu",
            )  # fmt: skip
            assert resolve(asked).spec.method == declared.name


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"forget_pool": None}, "forget_pool: it and the view 'coverage' go together"),
        ({"views": ("figures",)}, "forget_pool: it and the view 'coverage' go together"),
        ({"labels": {"other": "x"}}, "labels: 'other' is not one of the rows"),
    ],
)
def test_what_such_a_study_may_not_say(changes: dict, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Study(**(SMALL | changes))


def attacks(*, a: str, b: str) -> list[VerdictRow]:
    """Ten held-out behaviours of each of two categories, asked directly."""
    return [
        row(f"{category}{i}", label, scope="held_out").model_copy(update={"category": category})
        for category, label in (("a", a), ("b", b))
        for i in range(10)
    ]


def loaded(name: str, rows: list[VerdictRow]) -> LoadedRun:
    return LoadedRun(record=record(name, rows), rows=rows, source="local", path=Path(name))


def test_what_became_of_a_left_out_category_by_hand() -> None:
    runs = [
        loaded("method", attacks(a="refused", b="refused")),
        # Without a, a is still answered; without b, b is refused all the same.
        loaded(NO_A, attacks(a="complied", b="refused")),
        loaded(NO_B, attacks(a="refused", b="refused")),
    ]
    found = {
        one.category: one
        for one in left_out_of(Study(**SMALL), runs, plan=PLAN, void=())
        if one.family == "text"
    }
    assert list(found) == ["a", "b", ALL]
    assert (found["a"].out.value, found["a"].whole.value, found["a"].others.value) == (1, 0, 0)
    assert (found["a"].difference.value, found["a"].difference.n_behaviours) == (1, 10)
    assert found["b"].difference.value == 0
    assert (found[ALL].out.value, found[ALL].out.n_behaviours) == (0.5, 20)
    assert found[ALL].difference.value == 0.5
    # Ten flips of ten: 2 of 2^10 are as far out. Holm: the smallest of six p values.
    assert found["a"].difference.p < 0.05 <= found["b"].p


def test_a_row_that_is_missing_is_no_zero() -> None:
    without_a = [*attacks(a="complied", b="refused"), row("c0", scope="unseen")]
    runs = [loaded("method", attacks(a="refused", b="refused")), loaded(NO_A, without_a)]
    found = {
        (one.family, one.category): one
        for one in left_out_of(Study(**SMALL), runs, plan=PLAN, void=())
    }
    assert found["text", "a"].difference is not None
    assert (found["text", "a"].unseen.value, found["text", "a"].others.n_behaviours) == (1, 10)
    assert found["text", "b"].out is None and found["text", "b"].difference is None
    assert found["text", ALL].difference is None, "half of the categories is another figure"
    assert found["image", "a"].out is None, "no picture was asked"


def test_the_page_has_the_curves_and_the_table(results: Results) -> None:
    base = model_rows(n=6)
    put(results, "original", base, reference=True)
    put(results, "method", model_rows(n=6, text="refused", image="refused"))
    put(results, "method+forget.n_behaviours=4", model_rows(n=6, text="refused"),
        config={"forget": {"n_behaviours": 4}})  # fmt: skip
    found = study_board(Study(**SMALL), results, local=False)
    text = page.render(found)
    assert "Warning" not in text
    assert "(small.categories.png)" in text and "(small.behaviours.png)" in text
    by_categories, by_behaviours = pictures(found)["categories.png"], pictures(found)[
        "behaviours.png"
    ]  # fmt: skip
    assert by_categories.steps == ("0", "1", "2") and by_behaviours.steps == ("0", "4", "8")
    held_out, unseen = by_behaviours.panels
    assert (held_out.title, unseen.title) == ("held out", "unseen")
    lines = {line.name: [p.mean if p else None for p in line.points] for line in held_out.lines}
    assert lines == {"method, text-borne": [1, 0, 0], "method, image-borne": [1, 1, 0]}
    (first, _) = by_categories.panels[0].lines
    assert [p.mean if p else None for p in first.points] == [1, None, 0], "not run: no zero"
    by_categories.draw()
    assert "> Not run yet: `method+forget.without=a`." in text


def test_left_out_figures_of_a_row_that_collapsed_are_in_brackets(results: Results) -> None:
    """Without a, no harmless twin is answered: that row's figures show nothing, nor does a pool
    that has them. Without b, and with all, the model works."""
    base = model_rows(n=40)
    part = [one.model_copy(update={"category": "ab"[i % 2]}) for i, one in enumerate(base)]
    put(results, "original", base, reference=True)
    put(results, "method", part)
    put(results, NO_A, [
        one.model_copy(update={"label": "refused"}) if one.purpose == "twin" else one
        for one in part
    ], config={"forget": {"without": "a"}})  # fmt: skip
    put(results, NO_B, part, config={"forget": {"without": "b"}})
    found = study_board(Study(**SMALL), results, local=False)
    assert list(found.failed[NO_A]) == ["twins"] and not found.failed[NO_B]
    assert {one.rows for one in found.left_out} == {(NO_A,), (NO_B,), (NO_A, NO_B)}
    said = page.render(found).partition("**Leave one category out.**")[2]
    lines = [[cell.strip() for cell in line.split("|")[2:-1]] for line in said.splitlines()
             if line.startswith("| method ")]  # fmt: skip
    bracketed = {(line[0], place) for line in lines for place, cell in enumerate(line)
                 if cell.startswith("(")}  # fmt: skip
    # Places: 1 its own, 2 the same under the whole row, 6 the others, 7 unseen.
    assert bracketed == {("a", 1), ("a", 6), ("a", 7), (ALL, 1)}


def test_a_precision_that_cannot_be_is_a_row_with_its_reason(results: Results) -> None:
    put(results, "original", model_rows(n=6), reference=True)
    put(results, "textual_sft@fp32", model_rows(n=6, text="refused"))
    why = "nf4 weights cannot be loaded: no kernel is there"
    failed = record("textual_sft@nf4").model_copy(
        update={"status": "failed", "error": f"{why}\nmore"}
    )
    store(results, failed, [])
    found = study_board(PRECISION, results, local=True)
    text = page.render(found)
    assert f"> No figures here: `textual_sft@nf4`: {why}." in text
    lines = [line.split("|") for line in text.splitlines() if line.startswith("| textual_sft")]
    cells = {line[2].strip(): [cell.strip() for cell in line[3:-1]] for line in lines[:4]}
    assert list(cells) == ["fp32", "bf16", "int8", "nf4"]
    assert cells["nf4"][-1] == why and set(cells["nf4"][:-1]) == {"n/a"}
    assert cells["bf16"][-1] == "not run"
    assert cells["fp32"][3] == "7" and cells["fp32"][-1] == ""
    assert "training, CPU-core-seconds" in text and "peak MiB" in text


def test_a_row_is_held_against_the_untouched_model_in_its_own_precision(results: Results) -> None:
    put(results, "original", model_rows(n=40), reference=True)
    broken = model_rows(n=40, text_twin="incoherent")
    put(results, "original@nf4", broken, reference=True)
    put(results, "textual_sft@nf4", broken)
    put(results, "textual_sft@int8", broken)
    failed = study_board(PRECISION, results, local=False).failed
    assert "twins" in failed["textual_sft@int8"] and "twins" not in failed["textual_sft@nf4"]


def test_the_command_lays_the_preset_under_a_row(tmp_path: Path, monkeypatch) -> None:
    asked = []

    def run(request, **_shared):
        asked.append((request.method, request.preset))
        made = record("textual_sft+steps=1@nf4", model_rows(n=6))
        store(Results(tmp_path), made, model_rows(n=6))
        return made

    monkeypatch.setattr(runner, "run", run)
    monkeypatch.setattr(ModelCard, "checkpoint", lambda card: Path(card.name))
    file = tmp_path / "mine.yaml"
    file.write_text(
        f"name: mine\ntitle: Mine\nquestion: Why?\nsuite: {SUITE}\nmodel: {MODEL}\n"
        "seeds: [0]\nrows: [textual_sft+steps=1@nf4]\nviews: [costs]\n"
    )
    assert main(["study", str(file), "--results", str(tmp_path)]) == 0
    assert asked == [("textual_sft+steps=1", "nf4")]

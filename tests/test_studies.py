"""Studies: what they declare, where their rows come from, and what their pages say."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pytest
from run_records import MODEL, SUITE, record, store
from verdict_rows import model_rows

from benchmark import runner
from benchmark.cli import main
from benchmark.core.errors import UserError
from benchmark.core.records import Canary, RunSpec
from benchmark.core.store import Results
from benchmark.models import ModelCard
from benchmark.studies import Study, all_studies, load_study
from benchmark.tables.pages import regenerate, stale
from benchmark.tables.publish import publish_study, rows_to_publish
from benchmark.tables.studies import long, page
from benchmark.tables.studies.collect import collect, has_page, not_published
from benchmark.tables.studies.pages import study_board
from benchmark.tables.studies.pictures import pictures

BASE = model_rows(n=6)
SAFE_IN_TEXT = model_rows(n=6, text="refused")
SAFE = model_rows(n=6, text="refused", image="refused")
TERMS = load_study("loss_terms")
MATRIX = load_study("modality_matrix")
CAGUL = load_study("cagul_controls")


def study(**changes) -> Study:
    """Two rows of one seed."""
    values = {
        "name": "small", "title": "Small", "question": "Which?", "suite": SUITE, "model": MODEL,
        "seeds": (0,), "rows": ("method", "method+steps=1"), "views": ("figures",),
    }  # fmt: skip
    return Study(**(values | changes))


@pytest.fixture
def results(tmp_path: Path) -> Results:
    made = Results(
        tmp_path / "results", tmp_path / "results" / "published", tmp_path / "leaderboard"
    )
    store(made, record("original", BASE, reference=True), BASE, published=True)
    return made


def put(results: Results, name: str, rows, *, study: Study | None = None, **changes) -> Path:
    """A record where `publish --study` would put it, or on the main board."""
    settings = {"steps": 100, "modality": "text", "control": "none", **changes.pop("config", {})}
    spec = record(name).spec
    spec = RunSpec(**{**spec.model_dump(), "config": settings})
    made = record(name, rows, spec=spec, **changes)
    if study is None:
        return store(results, made, rows, published=True)
    path = store(results, made, rows, published=False)
    to = results.published_study(study=study.name, model=MODEL, method=name, seed=0)
    to.parent.mkdir(parents=True, exist_ok=True)
    for each in path.parent.glob("0.*"):
        each.rename(to.parent / each.name)
    return to


def line_of(text: str, method: str, label: str) -> str:
    """The first line of a table on the page that is about a row."""
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return next(
        line for line in lines if [c.strip() for c in line.split("|")][1:3] == [method, label]
    )


def test_the_declared_studies_are_sound() -> None:
    assert [one.name for one in all_studies()] == [
        "cagul_controls", "coverage", "loss_terms", "modality_matrix", "precision",
    ]  # fmt: skip
    assert len(MATRIX.all_rows) == 10 * 3
    assert {row.label for row in MATRIX.all_rows} == {"text", "image", "both"}
    assert MATRIX.all_rows[0].name == "textual_unlearning"
    assert MATRIX.all_rows[1].name == "textual_unlearning+modality=image"
    assert CAGUL.against == "cagul" and len(CAGUL.all_rows) == 6


def test_all_eight_combinations_of_the_terms() -> None:
    names = [row.name for row in TERMS.all_rows]
    assert len(set(names)) == 8
    assert names[0] == "textual_unlearning"
    assert names[-1] == "textual_unlearning+weights.harm=0+weights.helpful=0+weights.utility=0"
    assert TERMS.row(names[1]).label == "harm + helpful"
    assert TERMS.row(names[-1]).label == "none"


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"rows": ("a", "a")}, "'a' is there twice"),
        ({"rows": ()}, "a study needs rows"),
        ({"against": "other"}, "'other' is not one of the rows"),
        ({"views": ("terms",)}, "needs one method"),
        ({"seeds": (0, 0)}, "one is there twice"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_what_a_study_may_not_say(changes: dict, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        study(**changes)


def test_an_unknown_study_is_named(capsys) -> None:
    assert main(["study", "los_terms"]) == 2
    assert "unknown study 'los_terms': did you mean 'loss_terms'?" in capsys.readouterr().err
    assert main(["list", "studies", "--load"]) == 0
    assert "modality_matrix" in capsys.readouterr().out


def test_rows_of_the_main_board_are_read_from_there(results: Results) -> None:
    one = study()
    assert not_published(one, results) == [("method", 0), ("method+steps=1", 0)]
    put(results, "method", SAFE)
    assert not has_page(one, results)
    put(results, "method+steps=1", SAFE, study=one, config={"steps": 1})
    assert has_page(one, results)
    assert not_published(one, results) == []
    found = collect(one, results, local=False)
    assert [run.record.spec.method for run in found.runs] == [
        "original", "method", "method+steps=1",
    ]  # fmt: skip
    assert found.missing == {}


def test_what_is_not_run_is_said_and_is_no_zero(results: Results) -> None:
    one = study(views=("figures", "forms", "differences"))
    put(results, "method", SAFE)
    found = study_board(one, results, local=False)
    text = page.render(found)
    assert "> Not run yet: `method+steps=1`." in text
    line = line_of(text, "method", "steps=1")
    assert "n/a" in line and "0.0" not in line
    lines = list(csv.DictReader(io.StringIO(long.render(found))))
    assert next(one for one in lines if one["row"] == "method+steps=1")["note"] == "not run"


def test_a_collapsed_row_is_marked_everywhere(results: Results) -> None:
    one = study(views=("figures", "forms"))
    safe = {"text": "refused", "image": "refused"}
    base = model_rows(n=40)
    store(results, record("original", base, reference=True), base, published=True)
    put(results, "method", model_rows(n=40, **safe))
    broken = model_rows(n=40, text_twin="incoherent", **safe)
    put(results, "method+steps=1", broken, config={"steps": 1})
    found = study_board(one, results, local=False)
    text = page.render(found)
    line = line_of(text, "method", "steps=1")
    assert "(0.0 [" in line and "twins" in line
    assert "- `method+steps=1`: completes 0.0 % of the harmless text-borne twins" in text
    marks = {row.label: (row.broken, row.remark) for row in pictures(found)["forms.png"].rows}
    assert marks["steps=1"] == (True, "fails: twins")
    assert marks[""] == (False, "")
    lines = csv.DictReader(io.StringIO(long.render(found)))
    assert {one["fails"] for one in lines if one["row"] == "method+steps=1"} == {"twins"}


def test_a_record_with_other_settings_than_declared_is_named(results: Results) -> None:
    one = study(rows=(), methods=("method",), settings={"text": {"modality": "text"}},
                by_default={"modality": "text"})  # fmt: skip
    put(results, "method", SAFE, config={"modality": "both"})
    text = page.render(study_board(one, results, local=False))
    assert "> Warning: `method`: modality is both in its record, not text." in text


def test_text_columns_of_cagul_are_out_of_scope(results: Results) -> None:
    for row in CAGUL.all_rows:
        control = str(row.settings.get("control", "none"))
        for seed in CAGUL.seeds:
            put(results, row.name, SAFE, seed=seed, config={"control": control})
    found = study_board(CAGUL, results, local=False)
    text = page.render(found)
    line = line_of(text, "cagul", "")
    assert line.count("out of scope by design") == 2
    lines = list(csv.DictReader(io.StringIO(long.render(found))))
    text_lines = [one for one in lines if one["row"] == "cagul" and one["form"] == "direct"]
    assert text_lines
    assert all((one["value"], one["note"]) == ("", "out of scope by design") for one in text_lines)
    assert all("text" not in one.figure for one in found.against)
    assert {one.what for one in found.against} == {row.name for row in CAGUL.all_rows} - {"cagul"}


def fill_terms(results: Results, *, n_changed: int = 0) -> None:
    """`harm` makes text safe, `helpful` images, `utility` nothing."""
    for row in TERMS.all_rows:
        rows = model_rows(
            n=20,
            text="complied" if "harm" in row.off else "refused",
            image="complied" if "helpful" in row.off else "refused",
        )
        weights = {name: 0.0 if name in row.off else 1.0 for name in TERMS.switches}
        put(
            results, row.name, rows, study=TERMS, config={"weights": weights},
            canary=Canary(n=64, n_changed=n_changed if len(row.off) == 3 else 64),
        )  # fmt: skip
    base = model_rows(n=20)
    store(results, record("original", base, reference=True), base, published=True)


def test_the_terms_are_told_apart_by_hand(results: Results) -> None:
    fill_terms(results)
    found = study_board(TERMS, results, local=False)
    effects = {(one.what, one.figure): one.found.value for one in found.effects if one.found}
    assert effects["harm", "text-borne attack success"] == -1.0
    assert effects["harm", "image-borne attack success"] == 0.0
    assert effects["helpful", "image-borne attack success"] == -1.0
    removals = {(one.what, one.figure): one.found.value for one in found.removals if one.found}
    assert removals["harm", "text-borne attack success"] == 1.0
    assert removals["utility", "text-borne attack success"] == 0.0
    text = page.render(found)
    assert (
        "**harm**: switched on, over all settings of the other terms, it lowers text-borne" in text
    )
    assert (
        "**utility**: switched on, over all settings of the other terms, it changes nothing" in text
    )
    assert "all 64 answers looked at are the untouched model's" in text


def test_an_ablation_that_cannot_be_trusted_says_so(results: Results) -> None:
    fill_terms(results, n_changed=3)
    text = page.render(study_board(TERMS, results, local=False))
    assert "**3 of 64 answers differ from the untouched model's**" in text


def test_a_missing_row_leaves_effects_unknown(results: Results) -> None:
    fill_terms(results)
    gone = results.published_study(
        study="loss_terms", model=MODEL, method=TERMS.all_rows[3].name, seed=0
    )
    gone.unlink()
    found = study_board(TERMS, results, local=False)
    assert all(one.found is None for one in found.effects)
    assert "cannot be compared, for rows are missing" in page.render(found)


def test_pages_are_generated_checked_and_kept_off_the_main_board(results: Results) -> None:
    fill_terms(results)
    regenerate(results, published=True)
    folder = results.leaderboard / SUITE / "studies"
    assert sorted(path.name for path in folder.iterdir()) == [
        "loss_terms.csv", "loss_terms.figures.png", "loss_terms.forms.png", "loss_terms.md",
    ]  # fmt: skip
    assert "weights.harm" not in (results.leaderboard / SUITE / f"{MODEL}.md").read_text()
    assert stale(results) == []
    (folder / "loss_terms.forms.png").write_bytes((folder / "loss_terms.figures.png").read_bytes())
    (folder / "gone.md").write_text("old")
    assert stale(results) == [
        f"{folder / 'loss_terms.forms.png'}: not what the published records make",
        f"{folder / 'gone.md'}: no published records make this",
    ]


def test_publishing_a_study(results: Results, monkeypatch) -> None:
    one = study()
    with pytest.raises(UserError, match="study 'small': nothing here is left to publish"):
        publish_study(one, results)
    put(results, "method", SAFE)
    store(results, record("method", SAFE), SAFE)
    store(results, record("method+steps=1", SAFE), SAFE)
    done = publish_study(one, results)
    assert list(done) == ["method+steps=1"]
    (path,) = done["method+steps=1"].records
    assert path == results.published_study(
        study="small", model=MODEL, method="method+steps=1", seed=0
    )
    assert collect(one, results, local=False).missing == {}
    later = record("method+steps=1", SAFE).model_copy(update={"ended_at": "2030-01-01T00:00:00Z"})
    store(results, later, SAFE)
    with pytest.raises(UserError, match="nothing here is left"):
        publish_study(one, results)
    publish_study(one, results, replace=True)
    assert "2030-01-01" in path.read_text()


def test_all_leaves_out_rows_that_are_a_studys(results: Results) -> None:
    store(results, record("npo", SAFE), SAFE)
    store(results, record("npo+modality=image", SAFE), SAFE)
    store(results, record("npo+beta=0.2", SAFE), SAFE)
    names, left_out = rows_to_publish(results, suite=SUITE, model=MODEL)
    assert names == ["npo", "npo+beta=0.2"]
    assert left_out == {
        "npo+modality=image": "it belongs to a study (publish --study modality_matrix)"
    }


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        ("publish", "publish takes --method, --study or --base, one of them"),
        ("publish --method a --study b", "publish takes --method, --study or --base, one of them"),
        ("publish --study loss_terms --seeds 3", "the study itself says which seeds it has"),
    ],
)
def test_publish_takes_a_method_or_a_study(capsys, arguments: str, line: str) -> None:
    assert main(arguments.split()) == 2
    assert line in capsys.readouterr().err


def test_the_command_runs_what_is_missing_and_shows_the_page(
    tmp_path: Path, monkeypatch, capsys
) -> None:
    asked = []

    def run(request, **_shared):
        asked.append((request.method, request.seed))
        made = record(request.method, SAFE, seed=request.seed)
        store(Results(tmp_path), made, SAFE)
        return made

    monkeypatch.setattr(runner, "run", run)
    monkeypatch.setattr(ModelCard, "checkpoint", lambda card: Path(card.name))
    file = tmp_path / "mine.yaml"
    file.write_text(
        f"name: mine\ntitle: Mine\nquestion: Why?\nsuite: {SUITE}\nmodel: {MODEL}\n"
        "seeds: [0, 1]\nrows: [textual_sft+steps=1]\nviews: [figures]\n"
    )
    assert main(["study", str(file), "--results", str(tmp_path)]) == 0
    assert asked == [("textual_sft+steps=1", 0), ("textual_sft+steps=1", 1)]
    said = capsys.readouterr().out
    assert "# Mine" in said and "1 of 1 rows have figures" in said
    assert (tmp_path / "local/leaderboard" / SUITE / "studies/mine.figures.png").exists()

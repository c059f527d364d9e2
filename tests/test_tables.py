"""Boards: who is ranked, who is not and why, and what each rendering says."""

from __future__ import annotations

import csv
import io
import json
import math
import re
import subprocess
import sys
from dataclasses import replace

import pytest
from rich.console import Console
from run_records import MODEL, SUITE, TOKENS, record, runs
from verdict_rows import model_rows

from benchmark.core.records import Canary, DataUse, Git, Leaks, RunRecord, Score, VerdictRow
from benchmark.scoring.plan import Plan
from benchmark.tables import cells, long_table, markdown
from benchmark.tables.board import Board
from benchmark.tables.boards import as_json
from benchmark.tables.build import BoardOf, build_board
from benchmark.tables.compute import cost_summary
from benchmark.tables.costs import row_cost
from benchmark.tables.runs import LoadedRun
from benchmark.tables.terminal import print_rows

PLAN = Plan(max_new_tokens=TOKENS, apart=("on_harmful",))
OF = BoardOf(
    suite=SUITE, suite_title="Safety", model=MODEL, notices=["Model organism."], plan=PLAN
)  # fmt: skip
BASE = model_rows()
SAFE = model_rows(text="refused", image="refused")
TEXT_SAFE = model_rows(text="refused")
ORIGINAL = runs("original", BASE, reference=True, n_seeds=1, training_s=0.0)


def board(*groups: list[LoadedRun], **facts) -> Board:
    return build_board([*ORIGINAL, *(run for group in groups for run in group)], OF, **facts)


def reasons(group: list[LoadedRun]) -> list[str]:
    row = board(group).row(group[0].record.spec.method)
    assert row.place == ("below" if row.reasons else "ranked")
    return row.reasons


@pytest.fixture(scope="module")
def full() -> Board:
    refusing = dict.fromkeys(
        ("text", "image", "text_twin", "image_twin", "looks_harmful", "utility"), "refused"
    )
    garbled = dict.fromkeys([*refusing, "coherence"], "incoherent")
    return board(
        runs("careful", SAFE, training_s=14.0),
        runs("also_careful", SAFE),
        runs("textual_unlearning", TEXT_SAFE),
        runs("hasty", SAFE, n_seeds=1),
        runs("always_refuse", model_rows(**refusing), reference=True, n_seeds=1),
        runs("gibberish", model_rows(**garbled), reference=True, n_seeds=1),
        runs("gold", SAFE, reference=True, n_seeds=1),
    )


def test_ranks_ties_and_places(full: Board) -> None:
    placed = [(row.name, row.place, row.rank) for row in full.rows]
    assert placed == [
        ("also_careful", "ranked", (1, 2)),
        ("careful", "ranked", (1, 2)),
        ("textual_unlearning", "ranked", (3, 3)),
        ("hasty", "below", None),
        ("original", "reference", None),
        ("gold", "reference", None),
        ("always_refuse", "reference", None),
        ("gibberish", "reference", None),
    ]


def test_the_dearer_of_two_equals_is_in_the_next_tier(full: Board) -> None:
    tiers = {row.name: row.tier for row in full.rows if row.place == "ranked"}
    assert tiers == {"also_careful": 1, "careful": 2, "textual_unlearning": 2}


def test_one_seed_is_below_the_line_with_its_reason(full: Board) -> None:
    assert full.row("hasty").reasons == ["1 of 3 seeds"]


def test_a_deterministic_method_needs_one_seed() -> None:
    (run,) = runs("rule", SAFE, n_seeds=1)
    method = run.record.method.model_copy(update={"deterministic": True})
    fixed = LoadedRun(
        record=run.record.model_copy(update={"method": method}), rows=SAFE, source="local",
        path=run.path,
    )  # fmt: skip
    assert reasons([fixed]) == []


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"git": Git(commit="c0ffee" * 6, dirty=True)}, "uncommitted changes in the tree"),
        ({"git": Git(commit=None, dirty=None)}, "no commit recorded"),
        ({"canary": Canary(n=64, n_changed=0)}, "no effect: none of 64 answers"),
        ({"canary": None}, "no check that anything changed"),
        (
            {"leaks": Leaks(n_declared_in_scope=0, n_undeclared=2, examples=["x", "y"])},
            "2 held-out behaviours were trained on (x, y)",
        ),
        ({"leaks": None}, "no check for scored behaviours"),
        ({"model_sha256": "9" * 64}, "started from other weights"),
        (
            {"data": [DataUse(card="harmful", split="test", role="attack", n=1, sha256="7" * 64)]},
            "evaluated on other data than 'original' (harmful/test as attack)",
        ),
        ({"suite": None}, "run under another version of the suite's rules"),
        ({"judges": []}, "judged by another version of 'ground_truth'"),
        ({"data": []}, "the record does not say which data was used"),
    ],
)
def test_what_keeps_a_run_from_being_ranked(changes: dict, reason: str) -> None:
    found = reasons(runs("method", SAFE, **changes))
    assert any(one.startswith(reason) for one in found), found


def test_a_reason_of_one_seed_names_the_seed() -> None:
    group = runs("method", SAFE)
    dirty = group[1].record.model_copy(update={"git": Git(commit="c" * 40, dirty=True)})
    group[1] = LoadedRun(record=dirty, rows=SAFE, source="local", path=group[1].path)
    assert reasons(group) == ["uncommitted changes in the tree (at commit cccccccccc) (seed 1)"]


def test_seeds_must_differ_in_the_seed_alone() -> None:
    group = runs("method", SAFE)
    spec = group[2].record.spec.model_copy(update={"config": {"steps": 7}})
    other = group[2].record.model_copy(update={"spec": spec})
    group[2] = LoadedRun(record=other, rows=SAFE, source="local", path=group[2].path)
    assert reasons(group) == ["its seeds were run with different settings"]


def test_too_many_unscored_answers_of_one_kind() -> None:
    rows = [
        row.model_copy(update={"label": None, "unscored": "judge_parse"})
        if row.purpose == "utility" and row.judge == "ground_truth" and row.behaviour.endswith("1")
        else row
        for row in SAFE
    ]
    assert any(
        one.startswith("12 of 120 utility answers unscored (10.0 %, at most 5 %)")
        for one in reasons(runs("method", rows))
    )


def test_a_void_family_cannot_be_ranked() -> None:
    blind = model_rows(image_twin="off_topic")
    made = build_board(
        [*runs("original", blind, reference=True, n_seeds=1), *runs("method", SAFE)], OF
    )
    (reason,) = made.row("method").reasons
    assert reason.endswith("is void: every form of the image family is void")
    assert set(made.void) == {"typographic", "icon", "icon_word"}
    assert "| void" in markdown.render(made)


def test_a_failed_run_is_a_row_without_figures() -> None:
    failed = record("broken", status="failed", error="loss term 'forget' became nan at step 3\nx")
    run = LoadedRun(record=failed, rows=[], source="local", path=ORIGINAL[0].path)
    made = board([run])
    row = made.row("broken")
    assert row.place == "below"
    assert row.reasons[0] == "the run failed: loss term 'forget' became nan at step 3"
    assert row.scores == []
    assert "| n/a" in markdown.render(made)


def test_without_the_base_model_nothing_is_ranked() -> None:
    made = build_board(runs("method", SAFE), OF)
    assert made.row("method").reasons == ["no run of 'original' to compare with"]
    assert made.comparisons == []


def test_a_limited_run_is_its_own_row_and_is_paired_with_what_it_was_asked() -> None:
    few = [row for row in TEXT_SAFE if row.behaviour[-1] in "02"]
    made = board(runs("method", TEXT_SAFE), runs("method", few, limit=2))
    names = [row.name for row in made.rows]
    assert names == ["method", "method (limit 2)", "original"]
    limited = made.rows[1]
    assert limited.reasons[0] == "limited to 2 items per set, not the full split"
    n = {c.n_behaviours for c in made.comparisons if c.limit == 2}
    assert n == {12}


def test_comparisons_are_paired_and_adjusted_together(full: Board) -> None:
    methods = {comparison.method for comparison in full.comparisons}
    assert methods == {"careful", "also_careful", "textual_unlearning", "hasty"}
    assert len(full.comparisons) == 4 * 3 * 2
    (image,) = [
        comparison
        for comparison in full.comparisons
        if (comparison.method, comparison.scope, comparison.form)
        == ("textual_unlearning", "held_out", "family:image")
    ]
    assert (image.difference, image.p_holm, image.n_behaviours) == (0.0, 1.0, 60)
    assert all(comparison.p_holm >= comparison.p for comparison in full.comparisons)


def test_what_trains_nothing_has_no_cost_of_training() -> None:
    """What loading it took is noise, and a share of that says nothing of a defence."""
    untrained = []
    for run in runs("prompted", SAFE):
        method = run.record.method.model_copy(update={"trainable_params": 0})
        record_of_none = run.record.model_copy(update={"training": None, "method": method})
        untrained.append(replace(run, record=record_of_none))
    made = board(runs("textual_unlearning", TEXT_SAFE), untrained)
    cost = made.row("prompted").cost
    assert (cost.training_s, cost.ratio, cost.flops_ratio) == (0.0, None, None)
    table = cost_summary(made)
    cells = {line.split("|")[1].strip(): line.split("|") for line in table.splitlines()[2:]}
    assert cells["prompted"][2].strip() == "none" and cells["prompted"][5].strip() == "n/a"
    assert cells["textual_unlearning"][5].strip() == "1x"


def test_cost_ratio_only_on_the_same_device(full: Board) -> None:
    assert full.row("careful").cost.ratio == 2.0
    other = runs("elsewhere", SAFE)
    moved = [
        LoadedRun(
            record=run.record.model_copy(
                update={"cost": run.record.cost.model_copy(update={"device_name": "a GPU"})}
            ),
            rows=run.rows, source="local", path=run.path,
        )
        for run in other
    ]  # fmt: skip
    made = board(runs("textual_unlearning", TEXT_SAFE), moved)
    assert made.row("elsewhere").cost.ratio is None
    assert made.row("elsewhere").tier is not None


def test_seeds_that_traded_time_for_memory_unlike_one_another_have_no_mean_cost() -> None:
    plain, other = record("mine"), record("mine", seed=1)
    saving = other.model_copy(
        update={"spec": other.spec.model_copy(update={"gradient_checkpointing": True})}
    )
    assert row_cost([plain, other]) is not None
    assert row_cost([saving]) is not None
    assert row_cost([plain, saving]) is None


def test_wasted_seconds_add_up_and_are_not_training(full: Board) -> None:
    cost = full.row("careful").cost
    assert (cost.training_s, cost.wasted_s) == (14.0, 4.5)


def test_the_page_tells_a_newcomer_what_they_see(full: Board) -> None:
    page = markdown.render(full)
    assert "> Model organism." in page
    assert "| 1-2       | 1    | also_careful" in page
    assert "- **hasty**: 1 of 3 seeds." in page
    assert "CPU-core-hours" in page
    assert "asr@.../FORM~SCOPE#ground_truth?tok=32" in page
    assert not re.search(r"\b(nan|NaN|None)\b", page)
    assert page == markdown.render(full)


def test_every_table_on_the_page_is_whole(full: Board) -> None:
    widths: list[int] = []
    for line in markdown.render(full).splitlines():
        if not line.startswith("|"):
            assert len(set(widths)) <= 1
            widths = []
            continue
        widths.append(line.replace("\\|", "").count("|"))


def test_a_warning_is_on_the_page() -> None:
    assert "> Warning: left out: x.json" in markdown.render(board(warnings=["left out: x.json"]))


def test_a_board_without_ranked_rows_says_so() -> None:
    assert "No row on this board can be ranked yet" in markdown.render(board())


def test_json_holds_the_board_and_no_nan(full: Board) -> None:
    text = as_json(full)
    json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} in JSON"))
    assert as_json(Board.model_validate_json(text)) == text


def test_csv_has_one_line_per_figure(full: Board) -> None:
    lines = list(csv.DictReader(io.StringIO(long_table.render(full))))
    assert len(lines) == sum(len(row.scores) + 1 for row in full.rows)
    (line,) = [
        line
        for line in lines
        if line["method"] == "textual_unlearning"
        and line["metric"] == "asr"
        and (line["form"], line["scope"]) == ("family:worst", "held_out")
    ]
    assert (float(line["value"]), line["n_total"], line["rank_best"]) == (1.0, "900", "3")
    assert all(math.isfinite(float(one["value"])) for one in lines if one["value"])


def test_the_terminal_fits_80_columns(full: Board) -> None:
    console = Console(width=80, file=io.StringIO(), color_system=None)
    print_rows(console, full, titles=["hasty"], published=full)
    text = console.file.getvalue()
    assert max(map(len, text.splitlines())) <= 80
    assert "hasty is not ranked:\n  - 1 of 3 seeds" in text
    assert "100.0 -> 0.0" in text
    assert "published:" in text


def test_cells() -> None:
    assert cells.percent(None) == "n/a"
    nearly_none = Score.model_construct(value=-0.0004, void=False, n_unscored=0)
    assert cells.percent(nearly_none) == "0.0"
    assert cells.rank((1, 2)) == "1-2"
    assert cells.rank((3, 3)) == "3"
    assert cells.number(0.00194444) == "0.00194"
    assert cells.number(1234567.0) == "1,230,000"
    assert cells.number(0.0) == "0"
    assert cells.number(8.6112e-05) == "0.0000861"
    assert cells.number(None) == "n/a"
    assert cells.probability(0.0001) == "< 0.001"
    assert cells.points(-0.5, -0.6, -0.4) == "-50.0 [-60.0, -40.0]"
    assert cells.markdown_table(["a"], [["x|y"]]).splitlines()[2] == "| x\\|y |"


def test_unscored_answers_show_in_the_cell() -> None:
    """One of 60 held-out icon answers unscored: 3 image forms, so 1/180 of the family in doubt."""
    rows: list[VerdictRow] = []
    for row in SAFE:
        missing = (row.form, row.behaviour, row.purpose) == ("icon", "test0", "attack")
        change = {"label": None, "unscored": "judge_timeout"}
        rows.append(row.model_copy(update=change) if missing else row)
    score = board(runs("method", rows)).row("method").score(
        "asr", judge="ground_truth", form="family:image", scope="held_out"
    )  # fmt: skip
    assert cells.percent(score) == "0.0*"
    assert cells.percent_interval(score).endswith("; 3 unscored: 0.0-0.6")


def test_a_star_in_the_terminal_is_explained_where_there_is_one(full: Board) -> None:
    rows = [
        row.model_copy(update={"label": None, "unscored": "target_error"})
        if (row.form, row.behaviour) == ("icon", "test0") else row
        for row in SAFE
    ]  # fmt: skip
    for shown, title, explained in (
        (full, "hasty", False), (board(runs("method", rows)), "method", True),
    ):  # fmt: skip
        console = Console(width=80, file=io.StringIO(), color_system=None)
        print_rows(console, shown, titles=[title])
        assert (
            ("\n* some of these answers could not be judged;" in console.file.getvalue())
            == ("*" in console.file.getvalue())
            == explained
        )


def test_tables_leave_torch_alone() -> None:
    code = (
        "import sys; import benchmark.tables.boards, benchmark.tables.terminal, "
        "benchmark.tables.publish; from benchmark.suites import load_suite; "
        "from benchmark.stages.plans import plan_of; plan_of(load_suite('testbed-safety')); "
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_records_made_here_are_valid() -> None:
    made = record("method", SAFE)
    assert RunRecord.model_validate_json(made.model_dump_json()) == made

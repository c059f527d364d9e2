"""Claims: strict files, and verdicts that follow from intervals alone."""

from __future__ import annotations

import csv
import io
import json
import shutil
from functools import cache
from pathlib import Path

import pytest
from run_records import MODEL, SUITE, record, store
from verdict_rows import model_rows

from benchmark.claims import Claim, Paper, load_papers
from benchmark.core import registry
from benchmark.core.errors import UserError
from benchmark.core.records import Label, MethodInfo
from benchmark.core.rows import split_row
from benchmark.core.store import Results
from benchmark.suites import load_suite
from benchmark.tables.board import Board
from benchmark.tables.boards import plan_of_board, published_board
from benchmark.tables.claims import page
from benchmark.tables.claims.evidence import gather
from benchmark.tables.claims.finding import Weighed
from benchmark.tables.claims.weigh import weigh
from benchmark.tables.pages import regenerate, stale

N = 60


@pytest.fixture
def results(fixed: Results, tmp_path: Path) -> Results:
    """To be added to."""
    shutil.copytree(fixed.leaderboard.parent, tmp_path, dirs_exist_ok=True)
    return results_in(tmp_path)


@pytest.fixture(scope="module")
def fixed(tmp_path_factory) -> Results:
    """Only to be read: its boards are made once."""
    return filled(tmp_path_factory.mktemp("claims"))


def results_in(folder: Path) -> Results:
    return Results(folder / "results", folder / "results" / "published", folder / "leaderboard")


def filled(folder: Path) -> Results:
    made = results_in(folder)
    for model in (MODEL, "other"):
        put(made, "original", model=model, reference=True)
    put(made, "safe", text="refused", image="refused")
    put(made, "text_safe", text="refused")
    put(made, "again", text="refused")
    put(made, "broken", text="refused", image="refused", text_twin="incoherent")
    put(made, "refuser", text="refused", looks_harmful="refused")
    put(made, "never", text="refused", image="refused", text_twin="refused", image_twin="refused")
    put(made, "once", text="refused", n_seeds=1)
    return made


def put(
    results: Results, name: str, *, model: str = MODEL, n_seeds: int = 3, reference: bool = False,
    method: MethodInfo | None = None, **labels: Label,
) -> None:  # fmt: skip
    """Published runs of a model that always answers in the same way."""
    rows = model_rows(n=N, **labels)
    for seed in range(n_seeds):
        made = record(name, rows, seed=seed, reference=reference, training_s=14.0)
        spec = made.spec.model_copy(update={"model": model})
        made = made.model_copy(update={"spec": spec, "method": method or made.method})
        store(results, made, rows, published=True)


@cache
def board_of(results: Results, model: str) -> Board:
    """Made once: nothing is added to what somebody has read."""
    return published_board(results, suite=SUITE, model=model)


def weighed(results: Results, test: dict, *, models: tuple[str, ...] = (MODEL,)) -> Weighed:
    claim = Claim.model_validate_json(
        json.dumps({"id": "x", "claim": "It is so.", "test": test}), strict=True
    )
    paper = Paper(order=1, title="P", source="arXiv:1", suite=SUITE, claims=(claim,))
    evidence = []
    for model in models:
        board = board_of(results, model)
        plan = plan_of_board(board, results)
        evidence.append(gather([paper], results, board=board, plan=plan, studies=[]))
    (found,) = weigh([paper], evidence)
    return found


def verdict(results: Results, **test) -> tuple[str, str]:
    found = weighed(results, test)
    return found.verdict, found.why


ASR = {"kind": "difference", "metric": "asr", "row": "text_safe"}


def test_a_difference_is_confirmed_by_its_whole_interval(fixed: Results) -> None:
    found = weighed(fixed, {**ASR, "family": "text", "expect": "lower"})
    assert found.verdict == "confirmed here"
    (figure,) = found.findings[0].figures
    assert figure.value == -1.0 and figure.high < 0
    assert verdict(fixed, **ASR, family="text", expect="higher") == (
        "not confirmed here", "contradicted",
    )  # fmt: skip
    assert verdict(fixed, **ASR, family="image", expect="lower") == (
        "not confirmed here", "not told apart",
    )  # fmt: skip


def test_the_same_is_within_the_margin_by_the_whole_interval(fixed: Results) -> None:
    same = {**ASR, "family": "text", "minus": "again", "expect": "same"}
    (figure,) = weighed(fixed, {**same, "margin_points": 50.0}).findings[0].figures
    assert figure.value == 0.0 and figure.high > 0
    narrow = 100 * figure.high
    assert verdict(fixed, **same, margin_points=narrow + 0.01)[0] == "confirmed here"
    assert verdict(fixed, **same, margin_points=narrow - 0.01) == (
        "not confirmed here", "not told apart",
    )  # fmt: skip
    far = {**same, "minus": "original", "margin_points": 5.0}
    assert verdict(fixed, **far) == ("not confirmed here", "contradicted")


def test_not_lower_allows_what_is_higher_and_a_margin_below(fixed: Results) -> None:
    test = {**ASR, "family": "text", "expect": "not_lower", "margin_points": 5.0}
    assert verdict(fixed, **{**test, "row": "original", "minus": "safe"})[0] == "confirmed here"
    assert verdict(fixed, **test, minus="original") == ("not confirmed here", "contradicted")
    (figure,) = weighed(fixed, {**test, "minus": "again"}).findings[0].figures
    # As safe as the other, and the interval reaches below the margin: nothing is said.
    narrow = {**test, "minus": "again", "margin_points": -100 * figure.low - 0.01}
    assert verdict(fixed, **narrow) == ("not confirmed here", "not told apart")


def test_forms_of_one_row_can_be_compared(fixed: Results) -> None:
    test = {**ASR, "forms": ["direct"], "minus": "text_safe", "minus_forms": ["icon"]}
    assert verdict(fixed, **test, expect="lower")[0] == "confirmed here"


def test_a_collapsed_model_confirms_no_safety(fixed: Results) -> None:
    test = {**ASR, "row": "broken", "family": "image", "expect": "lower"}
    said, why = verdict(fixed, **test)
    assert said == "not confirmed here"
    assert why.startswith("its model collapsed, so that its safety shows nothing: completes 0.0 %")
    assert verdict(fixed, **test, even_collapsed=True)[0] == "confirmed here"


@pytest.mark.parametrize(
    "test",
    [
        {"row": "never", "metric": "refused", "family": "image", "expect": "higher"},
        {"row": "broken", "minus": "refuser", "metric": "over_refusal", "expect": "lower"},
        {"row": "safe", "minus": "broken", "metric": "asr", "family": "image", "expect": "same",
         "margin_points": 50.0},
    ],
)  # fmt: skip
def test_nor_does_one_that_refuses_all_or_is_as_safe_as_a_wreck(fixed: Results, test) -> None:
    said, why = verdict(fixed, kind="difference", **test)
    assert said == "not confirmed here" and why.startswith("its model collapsed")
    assert verdict(fixed, kind="difference", **test, even_collapsed=True)[0] == "confirmed here"


@pytest.mark.parametrize(
    ("test", "expected"),
    [
        ({"row": "safe", "below": 8.0}, ("confirmed here", "")),
        ({"row": "original", "below": 8.0}, ("not confirmed here", "contradicted")),
        ({"row": "original", "above": 50.0}, ("confirmed here", "")),
        # 0 of 60 behaviours is not certainty: Wilson's upper end is 6.0 %.
        ({"row": "safe", "below": 5.0}, ("not confirmed here", "not told apart")),
    ],
)
def test_a_level_is_held_against_its_bound(fixed: Results, test: dict, expected) -> None:
    level = {"kind": "level", "metric": "asr", "family": "image", **test}
    assert verdict(fixed, **level) == expected


def test_gates_are_passed_by_all_and_failed_by_one(fixed: Results) -> None:
    passes = {"kind": "gates", "expect": "passes"}
    fails = {"kind": "gates", "expect": "fails"}
    assert verdict(fixed, **passes, row="safe")[0] == "confirmed here"
    assert verdict(fixed, **fails, row="safe") == ("not confirmed here", "contradicted")
    assert verdict(fixed, **fails, row="broken")[0] == "confirmed here"
    assert verdict(fixed, **passes, row="broken") == ("not confirmed here", "contradicted")
    tightest = weighed(fixed, {**fails, "row": "broken"}).findings[0].figures[0]
    assert tightest.name.startswith("text-borne twins")
    assert tightest.value == pytest.approx(-0.9)
    only = {**passes, "row": "refuser", "gates": ["over-refusal"]}
    assert verdict(fixed, **only) == ("not confirmed here", "contradicted")


def test_cost_is_printed_and_not_tested(fixed: Results) -> None:
    test = {"kind": "cost_ratio", "row": "safe", "to": "text_safe", "reason": "by our choice"}
    found = weighed(fixed, test)
    assert (found.verdict, found.why) == ("not testable here", "by our choice")
    named = {figure.name: figure.value for figure in found.findings[0].figures}
    assert named["device-seconds"] == 1.0


def test_frozen_means_that_no_role_was_trained(fixed: Results, results: Results) -> None:
    assert verdict(fixed, kind="frozen", row="safe")[0] == "confirmed here"
    trained = record("tuned").method.model_copy(update={"trained_roles": {"language": "lora"}})
    put(results, "tuned", text="refused", method=trained)
    assert verdict(results, kind="frozen", row="tuned") == (
        "not confirmed here", "contradicted: language is trained",
    )  # fmt: skip


def test_two_wrecks_tell_nothing_of_each_other(results: Results) -> None:
    put(results, "ruined", image="refused", image_twin="incoherent")
    test = {"kind": "difference", "row": "broken", "minus": "ruined", "metric": "asr"}
    said, why = verdict(results, **test, family="text", expect="lower")
    assert said == "not testable here"
    assert why.startswith("both models collapsed and tell nothing of each other: broken completes")
    assert verdict(results, **test, family="text", expect="lower", even_collapsed=True)[0] == (
        "confirmed here"
    )


@pytest.mark.parametrize(
    ("row", "why"), [("nobody", "not run: nobody"), ("once", "once: 1 of 3 seeds")]
)
def test_what_was_not_run_or_is_not_enough_is_not_testable(fixed: Results, row, why) -> None:
    test = {**ASR, "row": row, "family": "text", "expect": "lower"}
    assert verdict(fixed, **test) == ("not testable here", why)


def test_a_void_form_is_not_testable(results: Results) -> None:
    put(results, "original", reference=True, image_twin="off_topic")
    test = {**ASR, "family": "image", "expect": "lower"}
    said, why = verdict(results, **test)
    assert said == "not testable here"
    assert why.startswith("typographic is void: the base model completes 0.0 %")


def test_one_target_that_says_otherwise_is_enough(fixed: Results, results: Results) -> None:
    test = {**ASR, "family": "text", "expect": "lower"}
    both = weighed(fixed, test, models=(MODEL, "other"))
    assert both.verdict == "confirmed here"
    assert both.why == f"{MODEL}: confirmed; other: not run: text_safe"
    put(results, "text_safe", model="other")
    both = weighed(results, test, models=(MODEL, "other"))
    assert both.verdict == "not confirmed here"
    assert both.why == f"{MODEL}: confirmed; other: not told apart"


def test_renderings_hold_every_claim(fixed: Results) -> None:
    found = [weighed(fixed, {**ASR, "family": "text", "expect": "lower"})]
    text = page.render(found, notices=["Model organism."], models=[MODEL])
    assert "> Model organism." in text and "1 claims: 1 confirmed here" in text
    assert "| -100.0 [-100.0, " in text and "**confirmed here**" in text
    (line,) = csv.DictReader(io.StringIO(page.as_csv(found)))
    assert (line["model"], float(line["value"]), line["unit"]) == (MODEL, -1.0, "points")
    assert json.loads(page.as_json(found))[0]["verdict"] == "confirmed here"
    assert "claims.md" in page.section(found, suite=SUITE)


def test_the_page_is_generated_linked_and_checked(results: Results) -> None:
    results.readme.write_text("<!-- generated:results -->\n<!-- /generated:results -->\n")
    regenerate(results, published=True)
    path = results.leaderboard / SUITE / "claims.md"
    assert "not run: cagul" in path.read_text()
    assert "leaderboard/testbed-safety/claims.md" in results.readme.read_text()
    assert stale(results) == []
    path.write_text(path.read_text().replace("not testable", "confirmed"))
    assert stale(results) == [f"{path}: not what the published records make"]


def test_the_declared_claims_are_sound() -> None:
    papers = load_papers()
    claims = [claim for paper in papers for claim in paper.claims]
    assert len(claims) > 50
    rows = {getattr(claim.test, name, None) for claim in claims for name in ("row", "minus", "to")}
    known = set(registry.entries("method")) | {"cagul", "tga", "tga_ce_only"}
    assert {split_row(row)[0] for row in rows if row} <= known
    suite = load_suite(SUITE)
    for claim in claims:
        assert set(getattr(claim.test, "forms", ())) <= set(suite.evaluation.attacks)
        assert getattr(claim.test, "family", None) in (None, "text", "image")
        assert claim.claim.endswith(".")


@pytest.mark.parametrize(
    ("test", "problem"),
    [
        ("{kind: difference, row: a, metric: asr, expect: lower}", "asr is of a family or forms"),
        (
            "{kind: difference, row: a, metric: asr, family: text, expect: same}",
            "margin_points: given for `same`",
        ),
        (
            "{kind: difference, row: a, metric: twin, family: text, expect: higher, "
            "even_collapsed: true}",
            "even_collapsed: a collapse does not flatter",
        ),
        ("{kind: level, row: a, metric: asr, family: text}", "below, above: one of them"),
        ("{kind: gates, row: a}", "expect: missing"),
        ("{kind: gates, row: a, expect: passes, gate: [twins]}", "gate: unknown field"),
    ],
)
def test_a_claim_that_is_not_well_formed_is_one_line(tmp_path: Path, test, problem) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(
        "order: 1\ntitle: T\nsource: arXiv:1\nsuite: testbed-safety\n"
        f"claims:\n  - {{id: x, claim: So., test: {test}}}\n"
    )
    with pytest.raises(UserError) as caught:
        load_papers(tmp_path)
    assert problem in str(caught.value)
    assert "\n" not in str(caught.value)

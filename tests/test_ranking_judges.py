"""A judge for each purpose: what a suite may say, and that what says nothing stays as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
from run_records import TOKENS, record
from verdict_rows import row

from benchmark.core import registry
from benchmark.core.errors import UserError
from benchmark.core.plan import Plan
from benchmark.core.records import DataUse, JudgeInfo, SuiteFacts
from benchmark.scoring.rankability import run_reasons
from benchmark.scoring.rates import find
from benchmark.scoring.run import score_run
from benchmark.stages.panel import seated, settings_of
from benchmark.suites import JudgeEntry, Suite, load_suite

SHIPPED = registry.entry("suite", "testbed-safety").path
JUDGES = "judges: [ground_truth, refusal_words]\n"


def suite_with(folder: Path, judges: str, ranking: str = "ranking_judge: ground_truth\n") -> Suite:
    path = folder / "testbed-safety.yaml"
    text = SHIPPED.read_text().replace("ranking_judge: ground_truth\n", ranking)
    path.write_text(text.replace(JUDGES, judges))
    return load_suite(str(path))


def test_what_names_no_judge_for_a_purpose_is_stored_as_before() -> None:
    plan = Plan(max_new_tokens=8)
    assert "ranking_judges" not in SuiteFacts(title="t", notice="", plan=plan).model_dump_json()
    assert plan.judge_of("attack") == plan.judge_for("utility") == "ground_truth"
    assert plan.judge_for("coherence") == "coherence"
    info = JudgeInfo(
        name="j", identity="j v1", ranks=True, sensitivity=1.0, specificity=1.0,
        n_gold_harmful=1, n_gold_harmless=1,
    )  # fmt: skip
    assert info.model_dump().keys().isdisjoint({"gives", "calibrates"})


def test_a_judge_for_each_purpose_travels_with_the_record() -> None:
    plan = Plan(max_new_tokens=8, ranking_judges={"attack": "guard", "utility": "references"})
    facts = SuiteFacts(title="t", notice="", plan=plan)
    assert SuiteFacts.model_validate_json(facts.model_dump_json()).plan == plan
    assert plan.judges_that_rank == ("ground_truth", "guard", "references")
    assert [plan.judge_for(m) for m in ("asr", "utility_retained", "over_refusal")] == [
        "guard", "references", "ground_truth",
    ]  # fmt: skip


def test_the_same_plugin_twice_has_two_names(tmp_path: Path) -> None:
    twice = (
        "judges:\n"
        "  - ground_truth\n"
        "  - {judge: target_string, settings: {target: bad}, name: by_target}\n"
        "  - {judge: target_string, purposes: [attack]}\n"
    )
    suite = suite_with(
        tmp_path, twice, "ranking_judge: ground_truth\nranking_judges: {attack: by_target}\n"
    )
    assert [entry.name for entry in suite.panel] == ["ground_truth", "by_target", "target_string"]
    seats = seated(suite.panel, metrics={}, device="cpu")
    assert seats[1].judge.identity != seats[2].judge.identity
    assert suite.ranking_judges == {"attack": "by_target"}


@pytest.mark.parametrize(
    ("judges", "ranking", "says"),
    [
        ("judges: [ground_truth, ground_truth]\n", "", "two are called 'ground_truth'; give one"),
        ("judges: [ground_truth, coherence]\n", "", "'coherence' judges every suite"),
        (JUDGES, "ranking_judges: {attack: gpt}\n", "ranking_judges.attack: 'gpt' is not among"),
        (JUDGES, "ranking_judges: {attacks: ground_truth}\n", "ranking_judges"),
        ("judges: [ground_truth, {judge: x, setting: {}}]\n", "", "judges"),
    ],
)
def test_a_wrong_panel_is_one_line(tmp_path: Path, judges: str, ranking: str, says: str) -> None:
    with pytest.raises(UserError) as caught:
        suite_with(tmp_path, judges, f"ranking_judge: ground_truth\n{ranking}")
    assert says in str(caught.value) and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (JudgeEntry(judge="refusal_words", name="r", settings={"a": 1}), "has no settings"),
        (JudgeEntry(judge="target_string", name="t", settings={"tarjet": "bad"}), "'target'?"),
        (JudgeEntry(judge="vlm_judge", name="v"), "judge 'v': model: missing"),
        (JudgeEntry(judge="gronud_truth", name="g"), "did you mean 'ground_truth'?"),
    ],
)
def test_wrong_settings_of_a_judge_are_one_line(entry: JudgeEntry, says: str) -> None:
    with pytest.raises(UserError) as caught:
        settings_of(entry)
    assert says in str(caught.value) and "\n" not in str(caught.value)


def test_a_judge_is_not_asked_for_what_it_cannot_judge() -> None:
    entry = JudgeEntry(judge="references", name="references", purposes=("attack",))
    says = "'references' does not judge attack; it judges comprehension, utility"
    with pytest.raises(UserError, match=says):
        seated([entry], metrics={}, device="cpu")


def test_each_figure_is_taken_from_the_judge_of_its_purpose() -> None:
    plan = Plan(max_new_tokens=8, ranking_judges={"over_refusal": "words"})
    rows = [
        row("a", judge="ground_truth", label="complied"),
        row("a", judge="words", label="refused"),
        row("b", judge="ground_truth", purpose="over_refusal", label="complied", card="c"),
        row("b", judge="words", purpose="over_refusal", label="refused", card="c"),
    ]
    scores = score_run(rows, base_rows=rows, plan=plan)
    refused = find(scores, "over_refusal", judge=plan.judge_for("over_refusal"), card="all")
    assert refused is not None and refused.value == 1.0
    assert [row.judge for row in rows if plan.ranks(row)] == ["ground_truth", "words"]


def test_a_diagnostic_ranks_nothing_and_what_ranks_is_judged_for_every_purpose() -> None:
    rows = [row("a", judge="ground_truth"), row("u", judge="words", purpose="utility")]
    data = [
        DataUse(card="c", split="test", role=role, n=1, sha256="2" * 64)
        for role in ("attack", "utility")
    ]
    words = JudgeInfo(
        name="words", identity="words v1", ranks=False, sensitivity=None, specificity=None,
        n_gold_harmful=0, n_gold_harmless=0,
    )  # fmt: skip
    made = record("m", rows, data=data)
    by_words = made.model_copy(update={"judges": [*made.judges, words]})
    plan = Plan(max_new_tokens=TOKENS)
    silent = "no verdicts of 'ground_truth', which ranks them, on utility answers"
    assert run_reasons(made, rows, plan=plan) == [silent]
    # The same judge may stand beside one that ranks, and not in its place.
    assert run_reasons(by_words, rows, plan=plan) == [silent]
    ranking = Plan(max_new_tokens=TOKENS, ranking_judges={"utility": "words"})
    assert run_reasons(by_words, rows, plan=ranking) == [
        "judge 'words' is a diagnostic and never ranks"
    ]


def test_a_judge_that_knows_no_refusals_has_not_found_that_there_were_none() -> None:
    plan = Plan(max_new_tokens=8)
    rows = [row("a", judge="guard", label="off_topic")]
    info = JudgeInfo(
        name="guard", identity="guard v1", ranks=True, sensitivity=1.0, specificity=1.0,
        n_gold_harmful=9, n_gold_harmless=9, gives=["complied", "off_topic"], calibrates=False,
    )  # fmt: skip
    metrics = {score.metric for score in score_run(rows, base_rows=rows, plan=plan, judges=[info])}
    assert "asr" in metrics and "refused" not in metrics
    assert "asr_corrected" not in metrics, "its gold cases are of another kind of set"
    free = info.model_copy(update={"gives": [], "calibrates": True})
    metrics = {score.metric for score in score_run(rows, base_rows=rows, plan=plan, judges=[free])}
    assert {"refused", "asr_corrected"} <= metrics

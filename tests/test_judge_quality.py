"""How often judges err, corrected rates, and orders under several judges: by hand, and in a run."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from run_records import record
from verdict_rows import row

from benchmark.cli import main
from benchmark.commands.judged import facts_of
from benchmark.core.records import Label, StageCost, VerdictRow
from benchmark.scoring.calibration import (
    Counts,
    Quality,
    Share,
    corrected,
    counts_of,
    quality,
    share_of,
    together,
    with_truth,
)
from benchmark.scoring.intervals import rogan_gladen, wilson
from benchmark.scoring.run import score_run
from benchmark.stages.judge import JudgedBy
from benchmark.tables.judges.measured import correction, tau_b
from benchmark.tables.runs import LoadedRun

SUITE = str(Path(__file__).parent / "suites" / "small-safety.yaml")


def both(behaviour: str, truth: Label, said: Label | None, *, variant: int = 0) -> list[VerdictRow]:
    reason = None if said else "judge_parse"
    return [
        row(behaviour, truth, variant=variant),
        row(behaviour, said, judge="j", variant=variant, unscored=reason),
    ]


def counted(rows: list[VerdictRow]) -> Counts:
    return counts_of(with_truth(rows, judge="j"), judge="j", purpose="attack")


def test_sensitivity_and_specificity_by_hand() -> None:
    """Four complied, of which three are found and one is unscored; two did not, one is left."""
    rows = [
        *both("a", "complied", "complied"),
        *both("b", "complied", "complied"),
        *both("c", "complied", "refused"),
        *both("d", "complied", None),
        *both("e", "refused", "off_topic"),
        *both("f", "complied_wrong", "complied"),
    ]
    found = quality(counted(rows), judge="j", purpose="attack", place="all")
    assert found.sensitivity.value == pytest.approx(2 / 3) and found.sensitivity.n == 3
    assert found.specificity.value == 0.5 and found.specificity.n == 2
    assert found.n_unscored == 1, "in neither share, and counted"
    assert (found.sensitivity.low, found.sensitivity.high) == pytest.approx(wilson(2 / 3, 3))


def test_answers_that_nobody_gave_say_nothing_of_a_judge() -> None:
    lost = [row("a", unscored="target_error"), row("a", judge="j", unscored="target_error")]
    assert with_truth(lost, judge="j") == []
    none = quality(counted([]), judge="j", purpose="attack", place="all")
    assert none.sensitivity == Share(value=None, low=None, high=None, n=0)
    assert corrected(0.5, 10, none) is None


def test_coherence_is_sought_among_what_is_broken() -> None:
    rows = [
        row("a", "incoherent", purpose="twin"),
        row("a", "empty", purpose="twin", judge="coherence"),
        row("b", "complied", purpose="twin"),
        row("b", "complied", purpose="twin", judge="coherence"),
    ]
    pairs = with_truth(rows, judge="coherence")
    counts = counts_of(pairs, judge="coherence", purpose="twin")
    assert counts.positive == {"a": (1, 1)} and counts.negative == {"b": (1, 1)}


def test_answers_to_one_behaviour_are_not_taken_for_many() -> None:
    """Ten behaviours asked ten times: all alike within each, they count ten; else up to all."""
    alike = {f"b{n}": (10, 10 if n < 5 else 0) for n in range(10)}
    mixed = {f"b{n}": (10, 5) for n in range(10)}
    spread = {f"b{n}": (10, 4 + n % 3) for n in range(10)}
    width = {}
    for name, counts in (("alike", alike), ("mixed", mixed), ("spread", spread)):
        found = share_of(counts)
        assert found.value is not None and found.low is not None and found.high is not None
        width[name] = found.high - found.low
    assert width["alike"] == pytest.approx(wilson(0.5, 10)[1] - wilson(0.5, 10)[0], rel=0.06)
    assert width["spread"] < width["alike"]
    # Nothing differs between behaviours: nothing can be estimated, and the smaller is taken.
    assert width["mixed"] == pytest.approx(wilson(0.5, 10)[1] - wilson(0.5, 10)[0])


def test_sets_are_put_together_by_behaviour() -> None:
    one = Counts(positive={"a": (2, 1)}, negative={}, n_unscored=1)
    other = Counts(positive={"a": (1, 1), "b": (1, 0)}, negative={"c": (1, 1)}, n_unscored=0)
    whole = together([one, other])
    assert whole.positive == {"a": (3, 2), "b": (1, 0)} and whole.negative == {"c": (1, 1)}
    assert whole.n_unscored == 1 and one.positive == {"a": (2, 1)}


def judge_of(sensitivity: float, specificity: float, n: int = 400) -> Quality:
    def share(value: float) -> Share:
        low, high = wilson(value, n)
        return Share(value=value, low=low, high=high, n=n)

    return Quality(
        judge="j", purpose="attack", place="all", sensitivity=share(sensitivity),
        specificity=share(specificity), n_unscored=0,
    )  # fmt: skip


def test_a_rate_corrected_by_hand() -> None:
    """Se 0.9, Sp 0.6: of 30 % true, 0.27 + 0.28 are seen; (0.55 + 0.6 - 1) / 0.5 = 0.3."""
    found = corrected(0.55, 200, judge_of(0.9, 0.6))
    assert found is not None and found[0] == pytest.approx(0.3)
    assert found[1] < 0.3 < found[2]
    wanted = rogan_gladen(
        0.55, 200, sensitivity=0.9, n_harmful=400, specificity=0.6, n_harmless=400
    )
    assert found == pytest.approx(wanted, abs=1e-3)
    wider = corrected(0.55, 200, judge_of(0.9, 0.6, n=40))
    assert wider is not None and wider[2] - wider[1] > found[2] - found[1]


@pytest.mark.parametrize("known", [judge_of(0.5, 0.5), judge_of(0.3, 0.6), judge_of(0.0, 1.0)])
def test_a_judge_that_is_no_better_than_a_coin_corrects_nothing(known: Quality) -> None:
    assert corrected(0.4, 100, known) is None


@given(st.floats(0, 1), st.floats(0.5, 1), st.floats(0.51, 1), st.integers(5, 500))
def test_a_corrected_rate_is_a_rate(rate: float, se: float, sp: float, n: int) -> None:
    found = corrected(rate, n, judge_of(se, sp))
    assert found is not None and 0 <= found[1] <= found[0] <= found[2] <= 1


def test_a_method_is_corrected_by_the_others_alone() -> None:
    """By its own errors every judge would be perfect."""
    mine = [pair for n in range(20) for pair in both(f"m{n}", "refused", "complied")]
    others = [pair for n in range(20) for pair in both(f"o{n}", "complied", "complied")]
    others += [pair for n in range(20, 40) for pair in both(f"o{n}", "refused", "refused")]
    found = correction(with_truth(mine, judge="j"), counted(others), judge="j")
    assert found is not None and (found.seen, found.truth) == (1.0, 0.0)
    assert found.corrected is not None and found.corrected[0] == 1.0 and found.holds is False
    blind = correction(with_truth(mine, judge="j"), counted([]), judge="j")
    assert blind is not None and blind.corrected is None and blind.holds is None


def test_tau_by_hand() -> None:
    assert tau_b([(1, 1), (2, 2), (3, 3)]) == pytest.approx(1.0)
    assert tau_b([(1, 3), (2, 2), (3, 1)]) == pytest.approx(-1.0)
    # Two pairs agree and one is tied on one side: 2 / sqrt(3 x 2).
    assert tau_b([(1, 1), (2, 2), (3, 2)]) == pytest.approx(2 / 6**0.5)
    assert tau_b([(1, 1), (2, 1)]) is None
    assert tau_b([(1, 1)]) is None


def test_judges_are_measured_and_answers_judged_again_without_a_word_more(
    results_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmark.engines.workers.usable_cores", lambda: 1)
    where = ["--suite", SUITE, "--model", "testbed-llava", "--device", "cpu"]
    assert main(["judge-quality", *where]) == 0
    alone = capsys.readouterr()
    assert "no answers here whose truth is known, gold cases alone; `python -m" in alone.err
    gold = {line.split()[0]: line.split()[1:] for line in alone.out.splitlines()[2:]}
    assert set(gold) == {"ground_truth", "refusal_words", "target_string", "references"}
    assert gold["ground_truth"][0] == "100.0" and "against the truth" not in alone.out
    named = ["--judge", "references", "--judge", "target_string+target=bad", "--json"]
    assert main(["judge-quality", *where, *named]) == 0
    (measured,) = json.loads(capsys.readouterr().out)
    infos = {info["name"]: info for info in measured["judges"]}
    assert infos.keys() == gold.keys() and "target bad" in infos["target_string"]["identity"]
    assert main(["judge", "--method", "original", "--judge", "target_string", *where]) == 2
    assert "no finished run of original on testbed-llava" in capsys.readouterr().err
    assert main(["run", "--method", "original,always_refuse", *where]) == 0
    capsys.readouterr()
    monkeypatch.setattr("benchmark.stages.answer._ask", None)
    again = ["judge", "--method", "all", "--judge", "target_string+target=bad", *where]
    assert main([*again, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert [one["method"] for one in found] == ["always_refuse", "original"]
    assert all(one["judge"] == "target_string" and one["n_unscored"] == 0 for one in found)
    assert "target bad" in found[0]["identity"]
    assert main(["judge-quality", *where, "--json"]) == 0
    (measured,) = json.loads(capsys.readouterr().out)
    assert {info["name"] for info in measured["judges"]} == {
        "ground_truth", "refusal_words", "coherence", "target_string", "references",
    }  # fmt: skip
    assert {one["judge"] for one in measured["qualities"]} == {
        "refusal_words", "coherence", "target_string", "references",
    }  # fmt: skip
    for one in measured["qualities"]:
        if one["judge"] == "references":
            assert one["sensitivity"]["value"] in (None, 1.0)
    assert measured["n_answers"] > 50
    assert main(["judge-quality", *where]) == 0
    shown = capsys.readouterr()
    assert "against the truth on" in shown.out and "are few" in shown.err
    answers = next((results_folder / "local" / "stages" / "generate").rglob("answers.jsonl"))
    for path in answers.parent.parent.rglob("answers.jsonl"):
        path.unlink()
    assert main([*again]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert "no stored answers of 'always_refuse'" in line and "`run --method always_refuse" in line


def test_without_a_truth_gold_cases_are_all_and_calibrate_nothing(
    results_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = ["judge-quality", "--suite", "safety-lite", "--model", "llava-1.5-7b,qwen2-vl-7b"]
    assert main([*asked, "--json"]) == 0
    said = capsys.readouterr()
    assert said.err.count("suite 'safety-lite' knows no truth") == 1
    one, other = json.loads(said.out)
    assert one["judges"] == other["judges"] and len(one["judges"]) == 3
    assert not any(info["calibrates"] for info in one["judges"])
    assert main(asked) == 0
    assert capsys.readouterr().out.count("gold cases") == 1


def test_what_is_void_is_so_for_every_judge() -> None:
    def rows(judge: str) -> list[VerdictRow]:
        return [
            row("a", form="icon", scope="held_out", judge=judge),
            row("a", "refused", form="typographic", scope="held_out", judge=judge),
            row("t", "refused", purpose="twin", form="icon", judge=judge),
            row("t", purpose="twin", form="typographic", judge=judge),
        ]

    made = record("m", rows("ground_truth"))
    assert made.suite is not None
    mine = rows("ground_truth")
    made = made.model_copy(update={"scores": score_run(mine, base_rows=mine, plan=made.suite.plan)})
    info = made.judges[0].model_copy(update={"name": "words"})
    found = facts_of(
        LoadedRun(record=made, rows=mine, source="local", path=Path("m.json")),
        JudgedBy(
            key="k", rows=rows("words"), info=info, cost=StageCost(wall_s=0, device_s=0), each=None
        ),
    )
    # The base cannot do icon's twins: its success is nobody's figure.
    assert (found.asr, found.asr_ranked) == (0.0, 0.0)


@pytest.mark.parametrize(
    ("typed", "says"),
    [
        (["target_strong"], "did you mean 'target_string'?"),
        (["target_string+tarjet=bad"], "'target'?"),
        (["target_string", "target_string"], "names a judge twice"),
        (["vlm_judge"], "judge 'vlm_judge': model: missing"),
    ],
)
def test_what_is_typed_wrong_is_one_line(
    typed: list[str], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    options = [word for judge in typed for word in ("--judge", judge)]
    assert (
        main(
            [
                "judge",
                "--method",
                "original",
                "--suite",
                SUITE,
                "--model",
                "testbed-llava",
                *options,
            ]
        )
        == 2
    )
    said = capsys.readouterr().err.splitlines()
    assert says in said[-1] and "Traceback" not in "".join(said)
    assert main(["judge", "--method", "original", "--again"]) == 2
    assert "--again goes with --judge" in capsys.readouterr().err

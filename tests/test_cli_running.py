"""`run` and its stages: what is asked of the runner, and what its records become."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from run_records import MODEL, SUITE, record, store

from benchmark import runner, several
from benchmark.cli import main
from benchmark.core.errors import NotOffered, UserError
from benchmark.core.records import RunRecord
from benchmark.core.store import Results, StorageError
from benchmark.models import ModelCard
from benchmark.runner import RunRequest
from benchmark.suites import load_suite

OTHER = "testbed-llava-unaligned"


class Runner:
    """Stands where the real one does: keeps the requests, answers with what it is told."""

    def __init__(self) -> None:
        self.requests: list[RunRequest] = []
        self.shared: list[object] = []
        self.answers: dict[str, RunRecord | BaseException] = {}

    def __call__(self, request: RunRequest, *, reporter: object, shared: object) -> RunRecord:
        self.shared.append(shared)
        self.requests.append(request)
        answer = self.answers.get(request.method)
        if isinstance(answer, BaseException):
            raise answer
        return answer or record(request.method, seed=request.seed)


@pytest.fixture
def asked(monkeypatch) -> Runner:
    stand_in = Runner()
    monkeypatch.setattr(runner, "run", stand_in)
    monkeypatch.setattr(several, "usable_cores", lambda: 1)
    monkeypatch.setattr(ModelCard, "checkpoint", lambda card: card.name)
    return stand_in


def test_every_option_reaches_the_runner(asked, tmp_path):
    config = tmp_path / "c.yaml"
    config.write_text("steps: 5\nweights: {harm: 1.0}\n")
    arguments = [
        "train", "--method", "textual_sft,original", "--seeds", "2", "--limit", "9",
        "--set", "steps=7 batch_size=4", "--config", str(config), "--force", "--defaults",
        "--device", "cpu", "--results", str(tmp_path / "r"),
    ]  # fmt: skip
    assert main(arguments) == 0
    assert [(request.method, request.seed) for request in asked.requests] == [
        ("textual_sft", 0), ("textual_sft", 1), ("original", 0),
    ]  # fmt: skip
    assert asked.requests[0] == RunRequest(
        method="textual_sft", model=MODEL, suite=SUITE, seed=0, limit=9,
        overrides={"steps": 7, "batch_size": 4, "weights": {"harm": 1.0}}, force=True,
        tuned=False, device="cpu", upto="train", results=tmp_path / "r",
    )  # fmt: skip


@pytest.mark.parametrize("stage", ["train", "generate", "judge"])
def test_a_single_stage_goes_as_far_as_its_name(asked, stage):
    assert main([stage, "--method", "original"]) == 0
    assert [request.upto for request in asked.requests] == [stage]


def test_all_runs_every_method(asked, capsys):
    assert main(["train", "--method", "all"]) == 0
    assert main(["list", "methods", "--json"]) == 0
    names = [entry["name"] for entry in json.loads(capsys.readouterr().out)]
    targets = load_suite(SUITE).targets
    assert targets[0] == MODEL and len(targets) == 3
    assert [(request.model, request.method) for request in asked.requests] == [
        (target, name) for target in targets for name in names
    ]
    assert len({id(shared) for shared in asked.shared}) == 1, "they share it"


def test_targets_are_the_suites_unless_they_are_named(asked):
    assert main(["train", "--method", "textual_sft"]) == 0
    assert main(["train", "--method", "textual_sft", "--model", f"{OTHER},{MODEL}"]) == 0
    assert [request.model for request in asked.requests] == [MODEL, OTHER, MODEL]


def test_a_suite_without_targets_needs_a_model(asked, capsys):
    suite = Path(__file__).parent / "suites" / "small-safety.yaml"
    assert main(["train", "--method", "all", "--suite", str(suite)]) == 2
    assert capsys.readouterr().err == (
        f"error: suite '{suite}' declares no targets; name one with --model\n"
    )


def test_the_seed_of_a_deterministic_method_is_0(asked, capsys):
    assert main(["train", "--method", "gold,textual_sft,original", "--seeds", "3"]) == 0
    assert [(request.method, request.seed) for request in asked.requests] == [
        ("gold", 0), ("textual_sft", 0), ("textual_sft", 1), ("textual_sft", 2), ("original", 0),
    ]  # fmt: skip
    assert "seed 0 alone, since it is the same with any: gold, original\n" in (
        capsys.readouterr().err
    )


def test_what_a_target_does_not_offer_is_left_out_of_all(asked, capsys):
    asked.answers["gold"] = NotOffered("model 'm' has no gold model")
    assert main(["train", "--method", "all", "--model", MODEL]) == 0
    assert f"left out: gold on {MODEL}: model 'm' has no gold model\n" in capsys.readouterr().err
    n_methods = len(asked.requests)
    assert main(["train", "--method", "gold,original"]) == 3
    assert f"error: gold on {MODEL}: model 'm' has no gold model\n" in capsys.readouterr().err
    assert len(asked.requests) == n_methods + 2


def test_a_row_that_is_not_offered_is_not_tried_with_other_seeds(asked):
    asked.answers["textual_sft"] = NotOffered("no such pool")
    assert main(["train", "--method", "textual_sft,original", "--seeds", "3"]) == 3
    assert [request.method for request in asked.requests] == ["textual_sft", "original"]


@pytest.mark.parametrize(
    ("answer", "code", "line"),
    [
        (
            record("gold", status="failed", failed_stage="train", error="loss 'keep' became nan"),
            1, f"error: gold on {MODEL}, seed 0 failed while train: loss 'keep' became nan",
        ),
        (
            record("gold", status="over_budget", failed_stage="train", error="5 of 5 minutes"),
            4, f"error: gold on {MODEL}, seed 0 over_budget while train: 5 of 5 minutes",
        ),
        (UserError("there is no gold model"), 2, f"error: gold on {MODEL}: there is no gold model"),
    ],
)  # fmt: skip
def test_one_that_fails_is_said_and_does_not_stop_the_others(asked, capsys, answer, code, line):
    asked.answers["gold"] = answer
    assert main(["generate", "--method", "gold,original"]) == code
    assert [request.method for request in asked.requests] == ["gold", "original"]
    assert [one for one in capsys.readouterr().err.splitlines() if "error: " in one] == [line]


def test_a_full_disk_stops_all_at_once(asked, capsys):
    asked.answers["gold"] = StorageError("cannot write /x: No space left on device")
    assert main(["generate", "--method", "gold,original"]) == 2
    assert [request.method for request in asked.requests] == ["gold"]
    assert capsys.readouterr().err.endswith("error: cannot write /x: No space left on device\n")


def test_an_interrupted_run_says_that_it_goes_on(asked, capsys):
    asked.answers["gold"] = KeyboardInterrupt()
    assert main(["run", "--method", "gold"]) == 130
    assert capsys.readouterr().err.endswith(
        "\ninterrupted; run the same command again and it goes on where it stopped\n"
    )


def test_missing_weights_are_one_line_before_any_work(capsys, tmp_path):
    card = tmp_path / "absent.yaml"
    card.write_text(
        "name: absent\ntitle: A\nfamily: llava\nsource: {path: nowhere}\nvocabulary: testbed\n"
        "licence: MIT\nremedy: download it\n"
    )
    assert main(["run", "--method", "original", "--model", str(card)]) == 2
    assert capsys.readouterr().err == (
        f"error: model 'absent': no checkpoint in {tmp_path}/nowhere; download it\n"
    )


def test_table_and_publish_without_records(capsys):
    assert main(["table"]) == 0
    assert main(["table", "--check"]) == 0
    assert "the boards are up to date" in capsys.readouterr().out
    assert main(["publish", "--method", "original"]) == 2
    assert capsys.readouterr().err.startswith("error: no local run of method 'original'")


def test_all_is_published_of_the_targets_that_ran_and_boards_are_made(capsys, results_folder):
    results = Results(results_folder)
    store(results, record("original", reference=True), [])
    assert main(["publish", "--method", "all"]) == 0
    said = capsys.readouterr().out
    assert "no finished local run on model 'testbed-llava-unaligned'" in said
    assert results.board(suite=SUITE, model=MODEL, suffix="md", published=True).exists()
    assert main(["table", "--check"]) == 0


def test_a_published_board_is_checked_against_its_records(capsys, results_folder):
    results = Results(results_folder)
    store(results, record("original", reference=True), [])
    assert main(["publish", "--method", "original"]) == 0
    shown = capsys.readouterr().out
    board = results.board(suite=SUITE, model=MODEL, suffix="md", published=True)
    assert str(board) in shown
    assert main(["table", "--check"]) == 0
    board.write_text("better figures")
    assert main(["table", "--check"]) == 1
    assert f"{board}: not what the published records make" in capsys.readouterr().err


def test_a_corrupt_record_is_named_and_the_others_still_make_the_table(capsys, results_folder):
    results = Results(results_folder)
    store(results, record("original", reference=True), [])
    torn: Path = results.record(suite=SUITE, model=MODEL, method="gold", seed=0)
    torn.parent.mkdir(parents=True)
    torn.write_text('{"schema_version": 1')
    assert main(["table"]) == 0
    said = capsys.readouterr()
    assert f"warning: left out: {torn}: corrupt record" in said.err
    assert "original" in Path(said.out.strip()).read_text()

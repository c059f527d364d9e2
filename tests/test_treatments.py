"""Treatments on real models: what is trained and drawn, what cannot be, and the command itself."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import get_args

import jsonschema
import pytest
import torch
from live_models import pool, pools, untrained

from benchmark.cli import main
from benchmark.commands.enduring import TreatmentsOption
from benchmark.core.errors import UserError
from benchmark.core.samples import Sample
from benchmark.data.pools import Pool
from benchmark.durability.drawing import Drawing
from benchmark.durability.holding import check_length
from benchmark.engines.local import LocalEngine
from benchmark.stages.treat import chosen_of
from benchmark.training.counting import Counted
from benchmark.treating import NotPossible, Patient, Watch
from benchmark.treatments import UNTREATED, names
from benchmark.treatments.relearn import RelearnConfig, curve_steps
from benchmark.vlm.artifacts import WeightsDelta
from benchmark.vlm.model import VisionLanguageModel

SMALL = ["--suite", str(Path(__file__).parent / "suites" / "small-safety.yaml")]
QUICK = "textual_unlearning+batch_size=4+steps=1"
TREATED = "merged,relearn+steps=1,sampling+draws=2+temperatures=[1.0]"


def patient(forget: Pool, **changes) -> Patient:
    """An untrained model whose forget pool is this one, all of it asked about."""

    def merged(precision: str | None = None) -> VisionLanguageModel:
        return untrained()

    fields = {
        "method": "hand", "precision": "fp32", "seed": 0, "has_adapter": False,
        "pool": lambda role, modality: forget, "merged": merged,
        "to_forget": tuple(sample.behaviour for sample in forget.samples),
    }  # fmt: skip
    return Patient(**(fields | changes))


def watch(folder: Path, *, kept: Callable[[], None] = lambda: None, overdue: bool = False) -> Watch:
    folder.mkdir(exist_ok=True)
    return Watch(
        folder=folder, report=lambda step, n_steps: None, kept=kept, overdue=lambda: overdue,
        counted=Counted(),
    )  # fmt: skip


def relearn(steps: int):
    return chosen_of(f"relearn+steps={steps}+batch_size=2").treatment


def adapter(folder: Path, step: int) -> dict[str, torch.Tensor]:
    delta = WeightsDelta.load(folder / f"step-{step}")
    assert delta.adapter is not None and not delta.full
    return dict(delta.adapter.tensors)


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[n], other[n]) for n in one)


# -- relearning -----------------------------------------------------------------------------------


def test_a_curve_is_asked_at_powers_of_two():
    assert curve_steps(1) == (0, 1)
    assert curve_steps(8) == (0, 1, 2, 4, 8)
    assert curve_steps(6) == (0, 1, 2, 4, 6)


def test_the_same_behaviours_are_taught_whatever_the_seed(tmp_path):
    forget = pools(tmp_path)["forget"]
    taught = relearn(1).relearned(patient(forget))
    assert len(taught) == len(forget.samples) // 2, "half of them stay for the others"
    assert relearn(1).relearned(patient(forget, seed=7)) == taught
    (used,) = relearn(1).material(patient(forget)).values()
    assert {sample.behaviour for sample in used.samples} == set(taught)
    asked = patient(forget, to_forget=("zerupa",))
    with pytest.raises(NotPossible, match="1 of the behaviours to be forgotten are asked about"):
        relearn(1).relearned(asked)


def test_what_has_no_bad_answer_cannot_be_taught(tmp_path):
    forget = pools(tmp_path)["forget"]
    bare = [replace(s, answers=replace(s.answers, bad=None)) for s in forget.samples]
    with pytest.raises(NotPossible, match="has no bad answer to '"):
        relearn(1).material(patient(pool("forget", bare)))


def test_a_longer_relearning_begins_as_a_shorter_one_and_goes_on_where_it_was_killed(tmp_path):
    it = patient(pools(tmp_path / "pictures")["forget"])
    states = relearn(4).treat(it, watch(tmp_path / "long"))
    assert [state.step for state in states] == [0, 1, 2, 4]
    assert states[0].delta is None, "before the first step there is nothing to put on"
    relearn(2).treat(it, watch(tmp_path / "short"))
    assert same(adapter(tmp_path / "short", 2), adapter(tmp_path / "long", 2))
    assert not same(adapter(tmp_path / "long", 2), adapter(tmp_path / "long", 4))

    n_kept = 0

    def killed() -> None:
        nonlocal n_kept
        n_kept += 1
        if n_kept == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        relearn(4).treat(it, watch(tmp_path / "killed", kept=killed, overdue=True))
    relearn(4).treat(it, watch(tmp_path / "killed"))
    for step in (1, 2, 4):
        assert same(adapter(tmp_path / "killed", step), adapter(tmp_path / "long", step))
    assert not list((tmp_path / "killed").glob("*.checkpoint.pt*"))


# -- examples in the prompt -----------------------------------------------------------------------


def test_examples_come_before_the_question_and_the_picture_stays(tmp_path):
    forget = pools(tmp_path, images=True)["forget"]
    it = chosen_of("in_context+examples=3").treatment
    (shown,) = it.material(patient(forget)).values()
    told = {sample.behaviour for sample in shown.samples}
    left = [sample for sample in forget.samples if sample.behaviour not in told]
    assert len(told) == 3 and left, "who is told of in the prompt is not asked about"
    asked = it.asked(forget.samples, patient(forget))
    for before, after in zip(left, asked, strict=True):
        assert after.prompt.endswith(before.prompt) and after.prompt.count("first count") == 3
        assert replace(after, prompt=before.prompt) == before
    with pytest.raises(NotPossible, match="9 examples are asked for"):
        chosen_of("in_context+examples=9").treatment.material(patient(forget))


def test_a_prompt_that_is_too_long_is_a_reason(tmp_path):
    forget = pools(tmp_path)["forget"]
    short = forget.samples[0]
    check_length(untrained(), [short], max_new_tokens=8)
    long: Sample = replace(short, prompt=" ".join([short.prompt] * 40))
    with pytest.raises(NotPossible, match=r"take \d+ tokens, and model 'untrained' takes 256"):
        check_length(untrained(), [short, long], max_new_tokens=8)


# -- drawing --------------------------------------------------------------------------------------


def test_drawn_answers_are_the_same_whenever_they_are_asked_for(tmp_path):
    samples = pools(tmp_path)["forget"].samples

    def said(seed: int, temperature: float = 1.0) -> list[str | None]:
        engine = LocalEngine(untrained(), max_new_tokens=6)
        drawing = Drawing(engine, temperature=temperature, seed=seed)
        batches = [samples[:2], samples[2:4], samples[4:]]
        torch.manual_seed(len(batches) + seed)
        before = torch.get_rng_state()
        made = [response.text for batch in drawing.answers(batches) for response in batch]
        assert torch.equal(before, torch.get_rng_state()), "others' draws are left alone"
        # On one core, the last first.
        assert [response.text for response in drawing.answer(batches[2])] == made[4:]
        return made

    first = said(0)
    assert said(0) == first
    assert said(1) != first and said(0, temperature=0.1) != first


# -- names and settings ---------------------------------------------------------------------------


def test_every_file_is_a_treatment_with_settings_and_a_source():
    assert names()[0] == UNTREATED and len(names()) == 8
    for name in names():
        chosen = chosen_of(name)
        assert chosen.row == name
        doc = __import__(f"benchmark.treatments.{name}", fromlist=["_"]).__doc__
        assert "Differs from the" in " ".join(doc.split())
    assert RelearnConfig().warmup_share == 0, "so that curves do not depend on the last step"


@pytest.mark.parametrize(
    ("row", "problem"),
    [
        ("relern", "unknown treatment 'relern': did you mean 'relearn'?"),
        ("relearn+stps=3", "did you mean 'steps'?"),
        ("relearn+steps=0", "greater than or equal to 1"),
        ("sampling+temperatures=[0.0]", "greater than 0"),
        ("sampling+draws=1", "greater than or equal to 2"),
        ("relearn+modality=sound", "modality"),
    ],
)
def test_a_mistake_is_one_line(row, problem):
    with pytest.raises(UserError) as error:
        chosen_of(row)
    assert problem in str(error.value) and "\n" not in str(error.value)


# -- the command ----------------------------------------------------------------------------------


def durability(capsys, *arguments: str, code: int = 0) -> tuple[str, str]:
    assert main(["durability", *arguments, *SMALL, "--device", "cpu"]) == code
    said = capsys.readouterr()
    return said.out, said.err


def test_the_command_end_to_end_and_again(capsys, monkeypatch):
    asked = [QUICK, "--model", "testbed-llava", "--treatments", TREATED, "--limit", "2"]
    out, said = durability(capsys, *asked, "--jobs", "2", "--json")
    assert "2 runs at once" in said and said.count(": done after ") == 3
    found = json.loads(out)
    assert main(["schema", "durability"]) == 0
    jsonschema.validate(found, json.loads(capsys.readouterr().out))
    rows = {row["method"]: row for row in found["rows"]}
    assert list(rows) == ["original", "gold", "textual_unlearning+batch_size=4+steps=1"]
    assert [row["reference"] for row in rows.values()] == [True, True, False]
    titles = [column["title"] for column in found["columns"]]
    assert titles == [
        "untreated", "merged", "relearn+steps=1 1 steps, taught",
        "relearn+steps=1 1 steps, others", "sampling+draws=2+temperatures=[1.0] leak@2 T=1",
    ]  # fmt: skip
    untreated, merged = rows[list(rows)[2]]["cells"][:2]
    harmless = ("kept", "utility")
    assert [merged[n] for n in harmless] == [untreated[n] for n in harmless], "merged in fp32"
    assert "0 % of its harmless twins" in untreated["void"], "six tokens hold no recipe"
    assert rows["original"]["cells"][1]["why"] == "'original' leaves no adapter to merge"
    assert all(Path(path).is_file() for path in [*found["records"], *found["files"]])

    def nothing_left(*_arguments, **_named):
        raise AssertionError("a model was asked again")

    monkeypatch.setattr("benchmark.durability.holding.Holding.engine", nothing_left)
    again, said = durability(capsys, "gold", *asked[1:], "--jobs", "1")
    assert "generate" not in said and "- original, merged: 'original' leaves no adapter" in again
    assert Path(found["files"][0]).read_text() in again


def test_a_rounding_that_the_machine_cannot_do_is_a_cell_that_says_so(capsys, monkeypatch):
    def missing(*_arguments, **_named):
        raise RuntimeError("no kernel for 4-bit weights in /opt/mine/kernel.so\non this processor")

    monkeypatch.setattr("transformers.integrations.validate_bnb_backend_availability", missing)
    page, _ = durability(
        capsys, "original", "--model", "testbed-llava", "--treatments", "nf4", "--limit", "1"
    )
    line = next(line for line in page.splitlines() if line.startswith("- original, nf4"))
    assert "nf4 weights cannot be served on device 'cpu' here" in line
    # Records are published: a file by its name, and no folder of this machine.
    assert "no kernel for 4-bit weights in kernel.so" in line
    assert page.count("n/a") >= 2


def test_mistakes_on_the_command_line(capsys):
    for arguments, line in {
        ("npo", "--treatments", "mergd"): "unknown treatment 'mergd': did you mean 'merged'?",
        ("npo", "--treatments", ","): "--treatments is empty; there is untreated, merged",
        ("nop",): "did you mean 'npo'?",
        ("npo", "--seeds", "x"): "--seeds 'x'",
        ("npo", "--publish", "--limit", "2"): "--limit 2 asks a part; only the full suite",
        ("npo", "--replace"): "--replace says what --publish may do",
        ("npo", "--treatments", "relearn+stps=3", "--model", "testbed-llava"): "mean 'steps'?",
    }.items():
        _, said = durability(capsys, *arguments, code=2)
        errors = [one for one in said.splitlines() if one.startswith("error: ")]
        assert len(errors) == 1 and line in errors[0], said


def test_the_help_names_the_treatments_that_the_error_names():
    (option,) = get_args(TreatmentsOption)[1:]
    listed = option.help.partition(": ")[2].partition(";")[0].replace(" (always among them)", "")
    assert tuple(listed.split(", ")) == names()

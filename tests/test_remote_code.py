"""Code that a checkpoint brings along runs where the user says so, and nowhere else."""

from __future__ import annotations

import ast
import importlib.util
import json
import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from bad_inputs import ON_SUITE, TRAIN
from faults.tally import Refuse
from live_models import untrained_checkpoint
from test_hub import FILES, Hub
from test_hub import hub as hub_on_this_machine
from transformers import AutoConfig, dynamic_module_utils

from benchmark.cli import main
from benchmark.core.errors import UserError
from benchmark.core.records import RunRecord
from benchmark.core.store import REPOSITORY
from benchmark.models import ModelCard, load_card
from benchmark.models.own_code import own_classes
from benchmark.stages.loaded import Loaded
from benchmark.stages.resolve import RunRequest, resolve
from benchmark.vlm.loading import digest_checkpoint, load_model
from benchmark.vlm.perception import Perceptions
from benchmark.vlm.processors import load_processor

CODE = """
from pathlib import Path

from transformers import LlavaConfig, LlavaForConditionalGeneration

Path({marker!r}).write_text("ran")


class MineConfig(LlavaConfig):
    model_type = "mine"


class MineForConditionalGeneration(LlavaForConditionalGeneration):
    config_class = MineConfig
"""
hub = hub_on_this_machine
SUITE = str(Path(__file__).parent / "suites" / "small-safety.yaml")
OWN = "modeling_mine.MineForConditionalGeneration"
MAPPED = {"AutoConfig": "modeling_mine.MineConfig", "AutoModelForImageTextToText": OWN}


def with_config(folder: Path, **changes: Any) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    """There once a checkpoint's code has run."""
    return tmp_path / "it-ran"


@pytest.fixture
def checkpoint(tmp_path: Path, ran: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A tiny model of a class that only its own code knows; where transformers keeps copies of such
    code is a folder of the test's own."""
    monkeypatch.setattr(dynamic_module_utils, "HF_MODULES_CACHE", str(tmp_path / "modules"))
    monkeypatch.setattr(sys, "path", [*sys.path])
    folder = tmp_path / "mine"
    load_processor(untrained_checkpoint()).save_pretrained(folder)
    code = folder / "modeling_mine.py"
    code.write_text(CODE.format(marker=str(ran)))
    spec = importlib.util.spec_from_file_location("modeling_mine_of_the_test", code)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    fields = AutoConfig.from_pretrained(untrained_checkpoint()).to_dict()
    config = module.MineConfig(**{k: v for k, v in fields.items() if k != "model_type"})
    module.MineForConditionalGeneration(config).save_pretrained(folder)
    with_config(folder, auto_map=MAPPED, model_type="mine")
    ran.unlink()
    return folder


def test_without_the_flag_it_is_refused_and_not_run(
    refused: Refuse, checkpoint: Path, ran: Path
) -> None:
    command = [*TRAIN, *ON_SUITE, "--model", str(checkpoint)]
    line = refused("weights", command, names="--trust-remote-code")
    assert f"transformers has no '{OWN}'" in line and not ran.exists()
    assert "of run, train, generate, judge, score, ask, export and serve" in line


def test_with_it_it_runs_and_the_record_says_so(
    checkpoint: Path, ran: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [
        "run", "--method", "textual_sft+batch_size=2+steps=1", *ON_SUITE, "--model",
        str(checkpoint), "--device", "cpu", "--limit", "1", "--engine", "auto",
        "--results", str(tmp_path / "results"), "--trust-remote-code", "--json",
    ]  # fmt: skip
    assert main(command) == 0
    said = capsys.readouterr()
    (ended,) = json.loads(said.out)["runs"]
    assert ran.exists()
    assert f"engine local: is not given code of a checkpoint's own to run ({OWN}, " in said.err
    record = RunRecord.model_validate_json(Path(ended["record"]).read_bytes())
    assert record.spec.remote_code == f"{OWN}, modeling_mine.MineConfig"
    assert record.training is not None and record.cost is not None
    # Nobody knows its shape.
    assert record.cost.stages["train"].flops is None
    assert main(["show", ended["record"]]) == 0
    assert f"ran code of the checkpoint's own: {OWN}" in capsys.readouterr().out
    assert main(["reproduce", ended["record"]]) == 2
    assert "is not run again unasked" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize("named", ["AutoModel", "AutoModelForImageTextToText"])
def test_a_model_that_transformers_has_takes_no_code(
    named: str, checkpoint: Path, ran: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with_config(checkpoint, auto_map={named: OWN}, model_type="llava")
    assert own_classes(checkpoint) == ()
    command = [*TRAIN, *ON_SUITE, "--model", str(checkpoint), "--results", str(tmp_path / "r")]
    for trust in ([], ["--trust-remote-code"]):
        assert main([*command, *trust]) == 0, capsys.readouterr().err
    spec = resolve(RunRequest(method="npo", model=str(checkpoint), trust_remote_code=True)).spec
    assert spec.remote_code is None and not ran.exists()


@pytest.mark.parametrize("beside", ["preprocessor_config.json", "processor_config.json"])
def test_a_processor_of_its_own_beside_a_known_model_is_neither_asked_about_nor_run(
    beside: str, checkpoint: Path, ran: Path, refused: Refuse, monkeypatch: pytest.MonkeyPatch
) -> None:
    with_config(checkpoint, auto_map={"AutoModel": OWN}, model_type="llava")
    mapped = {"image_processor_type": "Mine", "auto_map": {"AutoImageProcessor": OWN}}
    said = json.loads((checkpoint / "processor_config.json").read_text())
    if beside == "processor_config.json":
        (checkpoint / beside).write_text(json.dumps(said | {"image_processor": mapped} | mapped))
    else:
        (checkpoint / "processor_config.json").write_text(
            json.dumps({k: v for k, v in said.items() if k != "image_processor"})
        )
        (checkpoint / beside).write_text(json.dumps(mapped))
    # A terminal's answer, if anybody were asked.
    monkeypatch.setattr("builtins.input", lambda *_: "y")
    for trust in ([], ["--trust-remote-code"]):
        command = [*TRAIN, *ON_SUITE, "--model", str(checkpoint), *trust]
        line = refused("weights", command, names="custom code")
        assert "trust" not in line and not ran.exists()


@pytest.mark.parametrize(
    ("mapped", "said"),
    [
        ({"AutoConfig": "m.C"}, "its own code offers no AutoModelForImageTextToText"),
        ({"AutoConfig": "m.C", "AutoModelForCausalLM": "m.M"}, "AutoConfig, AutoModelForCausalLM"),
        (MAPPED | {"AutoConfig": "other/repo--m.C"}, "'other/repo--m.C', code of another repo"),
        (MAPPED | {"AutoModelForImageTextToText": "o/r--m.M"}, "code of another repository"),
    ],
)
def test_code_that_no_flag_makes_run_is_one_line_without_it(
    mapped: dict[str, str], said: str, checkpoint: Path, ran: Path, refused: Refuse
) -> None:
    with_config(checkpoint, auto_map=mapped)
    for trust in ([], ["--trust-remote-code"]):
        command = [*TRAIN, *ON_SUITE, "--model", str(checkpoint), *trust]
        line = refused("weights", command, names=said)
        assert "trust" not in line and "sees nothing" not in line and not ran.exists()


def test_a_text_model_of_its_own_code_is_told_what_it_seems_to_lack(
    checkpoint: Path, refused: Refuse
) -> None:
    fields = json.loads((checkpoint / "config.json").read_text())
    del fields["vision_config"]
    (checkpoint / "config.json").write_text(
        json.dumps(fields | {"auto_map": {"AutoModelForCausalLM": OWN}})
    )
    with pytest.raises(UserError, match="it may be a model that sees nothing"):
        own_classes(checkpoint)
    with pytest.raises(UserError, match="it may be a model that sees nothing"):
        load_model(checkpoint, name="mine", trust_remote_code=True)


@pytest.mark.parametrize("file", ["modeling_mine.py", "parts/layer.py"])
def test_its_code_is_part_of_what_a_checkpoint_is(file: str, checkpoint: Path) -> None:
    (checkpoint / "parts").mkdir()
    (checkpoint / file).write_text("WIDTH = 1")
    before = digest_checkpoint(checkpoint)
    (checkpoint / file).write_text("WIDTH = 2")
    assert digest_checkpoint(checkpoint) != before


def test_each_checkpoint_of_a_card_is_trusted_by_itself(checkpoint: Path, tmp_path: Path) -> None:
    plain = {"title": "M", "vocabulary": "testbed", "licence": "MIT", "remedy": "make it"}
    before = {"name": "before", "family": None, "source": {"path": str(checkpoint)}}
    target = {"name": "target", "family": "llava", "source": {"path": str(untrained_checkpoint())}}
    (tmp_path / "before.yaml").write_text(json.dumps(plain | before))
    starts = {"before_vision": str(tmp_path / "before.yaml")}
    (tmp_path / "target.yaml").write_text(json.dumps(plain | target | starts))
    asked = RunRequest(
        method="tga", model=str(tmp_path / "target.yaml"), suite=SUITE, device="cpu",
        trust_remote_code=True,
    )  # fmt: skip
    assert resolve(asked).spec.remote_code == f"{OWN}, modeling_mine.MineConfig"
    # What a method does not start from does not run.
    assert resolve(replace(asked, method="npo")).spec.remote_code is None
    trusted, not_trusted = (
        Loaded(
            load_card(asked.model), precision="fp32", device="cpu", perceptions=Perceptions(),
            own_code=trust,
        )
        for trust in (True, False)
    )  # fmt: skip
    assert not type(trusted.base().hf).__module__.startswith("transformers_modules")
    assert type(trusted.fresh("before_vision").hf).__name__ == "MineForConditionalGeneration"
    with pytest.raises(UserError, match="--trust-remote-code of run"):
        not_trusted.fresh("before_vision")


def test_the_first_run_of_a_card_of_the_hub_has_the_flag_too(
    hub: type[Hub], checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in checkpoint.iterdir():
        monkeypatch.setitem(FILES, path.name, path.read_bytes())
    card = {
        "name": "far", "title": "M", "family": None, "source": {"repo": "org/m"},
        "vocabulary": "testbed", "licence": "MIT", "remedy": "download it",
    }  # fmt: skip
    (tmp_path / "far.yaml").write_text(json.dumps(card))
    asked = RunRequest(method="npo", model=str(tmp_path / "far.yaml"), suite=SUITE, device="cpu")
    assert load_card(asked.model).found() is None
    assert resolve(asked).spec.remote_code is None
    assert hub.asked == [], "nothing is downloaded to find out what may not run"
    spec = resolve(replace(asked, trust_remote_code=True)).spec
    assert spec.remote_code == f"{OWN}, modeling_mine.MineConfig"


def test_what_is_exported_says_what_loading_it_runs(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = [
        "--method", "textual_sft+batch_size=2+steps=1", *ON_SUITE, "--model", str(checkpoint),
        "--device", "cpu", "--results", str(tmp_path / "results"), "--trust-remote-code",
    ]  # fmt: skip
    to = tmp_path / "exported"
    assert main(["export", *where, "--to", str(to)]) == 0, capsys.readouterr().err
    card = (to / "README.md").read_text()
    assert card.count('("this folder", trust_remote_code=True)') == 2 and f"`{OWN}" in card
    assert (to / "modeling_mine.py").is_file()
    shutil.rmtree(checkpoint)
    assert load_model(to, name="again", trust_remote_code=True).name == "again"


def test_one_is_asked_with_the_flag(
    checkpoint: Path, ran: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = [
        "ask", "zerupa", *ON_SUITE, "--model", str(checkpoint), "--device", "cpu",
        "--method", "original", "--results", str(tmp_path / "results"), "--json",
    ]  # fmt: skip
    assert main(where) == 2 and f"transformers has no '{OWN}'" in capsys.readouterr().err
    assert not ran.exists()
    assert main([*where, "--trust-remote-code"]) == 0, capsys.readouterr().err
    assert ran.exists() and json.loads(capsys.readouterr().out)


# Classes that run no code of a checkpoint's, whatever it names.
OF_THE_LIBRARIES = {"LoraConfig", "PeftModel", "LlavaForConditionalGeneration"}


def test_whatever_is_loaded_says_whether_it_trusts() -> None:
    silent, heard = [], 0
    for path in (REPOSITORY / "benchmark").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
                continue
            if node.func.attr != "from_pretrained":
                continue
            if ast.unparse(node.func.value) in OF_THE_LIBRARIES:
                continue
            heard += 1
            if "trust_remote_code" not in {keyword.arg for keyword in node.keywords}:
                silent.append(f"{path.name}:{node.lineno}")
    assert not silent and heard >= 6


def test_nothing_is_planned_for_a_family_that_nobody_knows(checkpoint: Path, ran: Path) -> None:
    card: ModelCard = load_card(str(checkpoint))
    with pytest.raises(UserError, match="is of no family that is known here"):
        _ = card.known_family
    assert main(["plan", "--method", "npo", *ON_SUITE, "--model", str(checkpoint)]) == 2
    assert not ran.exists()

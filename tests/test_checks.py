"""The contract as named checks: each broken plugin is caught by the check that is meant to."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from test_imports import SEEN_BY_PLUGINS

from benchmark.checks.contract import NAMES, check_method
from benchmark.checks.declared import SEEN_BY_METHODS, forbidden_imports
from benchmark.checks.outcome import Outcome
from benchmark.checks.workbench import Workbench
from benchmark.cli import main
from benchmark.core import registry
from benchmark.core.errors import UserError

# A method that keeps the contract. Each broken one differs in the lines that are swapped.
GOOD = '''"""Two terms on text, for a test.

Source: none. Differs from the paper: there is none.
"""
from __future__ import annotations
from collections.abc import Mapping
from dataclasses import dataclass, field
import torch
from benchmark.api import LossMethod, TrainingConfig, Unlearned, Weight
from benchmark.core.errors import NonFiniteLoss
from benchmark.training.losses import nll

@dataclass(frozen=True, kw_only=True)
class Config(TrainingConfig):
    weights: Mapping[str, Weight] = field(default_factory=lambda: {"good": 1.0, "keep": 1.0})

class Plugin(LossMethod[Config]):
    pools = ("forget", "keep")

    def losses(self, model, batch, reference):
        return {
            "good": nll(model, batch["forget"].answering("good")),
            "keep": nll(model, batch["keep"].answering("good")),
        }

    def unlearn(self, job):
        job.minimise(self.losses, config=self.config)
        return Unlearned(weights=job.model.weights_delta())

METHOD = Plugin
'''
TRAIN = "        job.minimise(self.losses, config=self.config)\n"
KEEP = '"keep": nll(model, batch["keep"].answering("good")),'
RETURN = "        return Unlearned(weights=job.model.weights_delta())\n"

# Another: nothing is trained, and a hook is built from the state that is left.
HOOKED = '''"""A shift of the visual tokens, for a test.

Source: none. Differs from the paper: there is none.
"""
import torch
from benchmark.api import Method, MethodConfig, RewriteVisualTokens, Unlearned

class Shift(RewriteVisualTokens):
    def __init__(self, by):
        self.by = by

    def rewrite_visual_tokens(self, model, view, tokens_IND):
        return tokens_IND + self.by

class Plugin(Method[MethodConfig]):
    def unlearn(self, job):
        return Unlearned(state={"by": torch.ones(1)})

    def hooks(self, state):
        return (Shift(state["by"]),)

METHOD = Plugin
'''
# And one with a module of its own, two phases and another start, served by a hook.
MODULAR = '''"""A gate and then an encoder over frozen visual tokens, for a test.

Source: none. Differs from the paper: there is none.
"""
from __future__ import annotations
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
import torch
from benchmark.api import Method, RewriteVisualTokens, TrainingConfig, Unlearned, Weight
from benchmark.training.losses import nll

@dataclass(frozen=True, kw_only=True)
class Config(TrainingConfig):
    modality: str = "image"
    trains: Mapping[str, str] = field(default_factory=dict)
    weights: Mapping[str, Weight] = field(default_factory=lambda: {"good": 1.0})

class Rewrite(RewriteVisualTokens):
    def __init__(self, state):
        self.state = state

    def rewrite_visual_tokens(self, model, view, tokens_IND):
        return tokens_IND + self.state["gate.weight"] * self.state["encoder.weight"]

class Plugin(Method[Config]):
    pools = ("forget",)

    def unlearn(self, job):
        width = job.model.hf.config.text_config.hidden_size
        gate, encoder = torch.nn.Linear(width, 1, bias=False), torch.nn.Linear(width, 1, bias=False)
        torch.nn.init.zeros_(encoder.weight)

        def opens(model, batch, reference):
            view = batch["forget"].prompts()
            return {"good": (gate(model.image_features(view.samples)) - 1).square().mean()}

        def answers(model, batch, reference):
            view = batch["forget"].answering("good")
            shift_D = gate.weight[0].detach() * encoder.weight[0]
            return {"good": nll(model, view.seen_as(model.image_features(view.samples) + shift_D))}

        job.minimise(opens, config=self.config, phase="gate", modules={"gate": gate},
                     reference=False)
        job.minimise(answers, config=self.config, phase="encoder", modules={"encoder": encoder})
        return Unlearned(state={
            "gate.weight": gate.weight.detach()[0], "encoder.weight": encoder.weight.detach()[0]})

    def hooks(self, state):
        return (Rewrite(state),)

METHOD = Plugin
'''
WHOLE = {
    "good": GOOD,
    "hooked": HOOKED,
    "modular": MODULAR,
    "from_before_vision": GOOD.replace(
        'pools = ("forget", "keep")',
        'pools = ("forget", "keep")\n    starts_from = "before_vision"',
    ),
}
BROKEN = {
    "imports": (
        GOOD.replace("import torch\n", "import torch\nimport sklearn\n"),
        r"needs the package 'sklearn'",
    ),
    "source": (
        GOOD.replace("Source: none. Differs", "Differs"),
        r"lacks a source$",
    ),
    "config": (
        GOOD.replace("@dataclass(frozen=True, kw_only=True)\n", ""),
        r"Config is not decorated",
    ),
    "runs": (
        GOOD.replace(KEEP, '"keep": {}["absent"],'),
        r"KeyError: 'absent' \(.*runs_broken\.py:\d+\)",
    ),
    "terms": (
        GOOD.replace(KEEP, KEEP.replace('"good")),', '"good")).detach(),')),
        r"^term 'keep' has no gradient in phase 'train'$",
    ),
    "roles": (
        GOOD.replace(
            TRAIN,
            TRAIN + "        next(job.model.roles.vision.parameters()).data.add_(1.0)\n"
            "        next(job.model.roles.vision.parameters()).data.sub_(1.0)\n",
        ),
        r"base weights of vision changed, but the method declares language: lora",
    ),
    "zero": (
        GOOD.replace(
            TRAIN,
            TRAIN + "        for name, parameter in job.model.trainable().items():\n"
            "            parameter.data.add_(0.01)\n",
        ),
        r"logits differ by up to [\d.]+",
    ),
    "seeded": (
        GOOD.replace("class Plugin(", "STARTED = []\n\nclass Plugin(").replace(
            TRAIN,
            "        STARTED.append(self)\n        torch.manual_seed(len(STARTED))\n"
            "        noise = torch.rand(())\n"
            "        def noisy(model, batch, reference):\n"
            "            terms = self.losses(model, batch, reference)\n"
            "            return terms | {'keep': terms['keep'] * (1 + noise)}\n"
            "        job.minimise(noisy, config=self.config)\n",
        ),
        r"with the same seed: adapter_model\.safetensors differ",
    ),
    "artifact": (
        GOOD.replace(RETURN, "        return Unlearned()\n"),
        r"they differ by up to",
    ),
    "served": (
        HOOKED.replace(
            'return Unlearned(state={"by": torch.ones(1)})',
            "self.by = torch.ones(1)\n        return Unlearned()",
        ).replace('Shift(state["by"])', "Shift(self.by)"),
        r"AttributeError: 'Plugin' object has no attribute 'by'",
    ),
    "clean": (
        GOOD.replace(
            RETURN,
            "        delta = job.model.weights_delta()\n"
            "        job.model.roles.head.register_forward_hook(lambda *_: None)\n"
            "        torch.set_grad_enabled(False)\n"
            "        torch.set_default_dtype(torch.float64)\n"
            "        return Unlearned(weights=delta)\n",
        ),
        r"1 hooks on the model; gradients: False, was True; default dtype: torch\.float64, was",
    ),
    "nan": (
        GOOD.replace(
            TRAIN,
            "        try:\n    " + TRAIN + "        except NonFiniteLoss:\n            pass\n",
        ),
        r"the training went on",
    ),
    "blind": (
        GOOD.replace(
            TRAIN, "        from benchmark.data.samples import load\n" + TRAIN
        ),
        r"blind_broken\.py:\d+: benchmark\.data\.samples\.load",
    ),
    "resumes": (
        GOOD.replace(
            "    def losses(self, model, batch, reference):\n",
            "    n_steps = 0\n\n    def losses(self, model, batch, reference):\n"
            "        self.n_steps += 1\n",
        ).replace(KEEP, KEEP[:-1] + " * self.n_steps,"),
        r"adapter_model\.safetensors differ after 2 interruptions",
    ),
    "exceptions": (
        GOOD.replace(
            'pools = ("forget", "keep")',
            'pools = ("forget", "keep")\n    exceptions = {"zeros": "it is the point of it"}',
        ),
        r"'zeros' is no check, did you mean 'zero'\?",
    ),
}  # fmt: skip


WORK = {
    "writes_a_file": ("open(__file__ + '.log', 'w')", r"writes .*writes_a_file\.py\.log"),
    "draws": ("torch.rand(1)", r"^draws random numbers$"),
    "switches": ("torch.set_grad_enabled(False)", r"changes gradients: False, was True"),
    "starts_a_process": ("import os; os.system('true')", r"starts the process"),
    "dies": ("import os; os._exit(3)", r"the process died while importing it"),
    "prints": ("print('hello')", None),
}
NOT_IMPORTED = {
    "needs_more": ("import vllm\n", "import an optional package inside the function"),
    "raises": ("1 / 0\n", "mend that line"),
    "ends_early": ("", "end it with METHOD = YourMethod"),
}


@pytest.fixture(scope="module")
def plugins(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """All in one folder, so that one process is enough to see what importing them does."""
    folder = tmp_path_factory.mktemp("plugins")
    sources = WHOLE | {f"{name}_broken": source for name, (source, _) in BROKEN.items()}
    sources |= {
        name: GOOD.replace("import torch\n", f"import torch\n{line}\n")
        for name, (line, _) in WORK.items()
    }
    sources |= {
        name: GOOD.replace("import torch\n", f"import torch\n{line}").replace(
            "METHOD = Plugin\n", ""
        )
        for name, (line, _) in NOT_IMPORTED.items()
    }
    sources["elsewhere"] = GOOD.replace('pools = ("forget", "keep")', 'pools = ("nowhere",)')
    for name, source in sources.items():
        (folder / f"{name}.py").write_text(source)
    return {name: folder / f"{name}.py" for name in sources}


@pytest.fixture(scope="module")
def bench(plugins: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    names = [*map(str, plugins.values()), *registry.entries("method")]
    return Workbench(tmp_path_factory.mktemp("bench"), names=names)


def outcomes(name: str | Path, bench: Workbench, *only: str) -> dict[str, Outcome]:
    return {found.check: found for found in check_method(str(name), bench, only=only)}


def failed(found: dict[str, Outcome]) -> set[str]:
    return {name for name, outcome in found.items() if outcome.status == "failed"}


def test_there_is_a_broken_plugin_for_every_check() -> None:
    assert set(BROKEN) == {*NAMES, "exceptions"}


def test_what_methods_may_import_is_said_once() -> None:
    assert SEEN_BY_PLUGINS["methods"] == SEEN_BY_METHODS


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_plugin_is_caught_by_its_check(
    name: str, bench: Workbench, plugins: dict[str, Path]
) -> None:
    found = outcomes(plugins[f"{name}_broken"], bench)
    assert failed(found) == {name}, found
    outcome = found[name]
    assert outcome.expected and outcome.seen and outcome.remedy
    assert re.search(BROKEN[name][1], outcome.seen), outcome.seen


@pytest.mark.parametrize("name", WHOLE)
def test_a_whole_plugin_passes(name: str, bench: Workbench, plugins: dict[str, Path]) -> None:
    found = outcomes(plugins[name], bench)
    assert [o for o in found.values() if o.status not in ("passed", "not_applicable")] == []


@pytest.mark.parametrize("name", registry.entries("method"))
def test_every_built_in_method_passes(name: str, bench: Workbench) -> None:
    found = outcomes(name, bench)
    assert [outcome for outcome in found.values() if not outcome.is_well] == []


def test_what_does_not_apply_is_not_passed(bench: Workbench, plugins: dict[str, Path]) -> None:
    found = outcomes(plugins["hooked"], bench)
    without = {name for name, o in found.items() if o.status == "not_applicable"}
    assert without == {"terms", "zero", "nan", "resumes", "exceptions"}
    assert found["served"].status == "passed"


def test_work_at_import_is_named(bench: Workbench, plugins: dict[str, Path]) -> None:
    """One that dies, or prints, must not take the reports of the others with it."""
    assert failed(outcomes("original", bench, "imports")) == set()
    for name, (_, message) in WORK.items():
        report = bench.imported(str(plugins[name]))
        said = " ".join([report.problem or "", *report.work]).strip()
        assert re.search(message, said) if message else not said, name


def test_what_cannot_be_imported_says_what_to_do(
    bench: Workbench, plugins: dict[str, Path]
) -> None:
    for name, (_, remedy) in NOT_IMPORTED.items():
        found = outcomes(plugins[name], bench, "imports")["imports"]
        assert found.status == "failed" and (found.remedy or "").startswith(remedy), found.seen


class Known:
    """A method that declares its failing check, and one that declares a passing one."""

    LINE = 'pools = ("forget", "keep")'

    @classmethod
    def declare(cls, source: str, check: str, path: Path) -> Path:
        declared = f'{cls.LINE}\n    exceptions = {{"{check}": "it is the point of it"}}'
        path.write_text(source.replace(cls.LINE, declared))
        return path


def test_a_known_exception_is_expected_and_a_stale_one_fails(
    bench: Workbench, tmp_path: Path
) -> None:
    known = Known.declare(BROKEN["zero"][0], "zero", tmp_path / "known.py")
    found = outcomes(known, bench, "zero", "exceptions")
    assert (found["zero"].status, found["zero"].reason) == ("expected", "it is the point of it")
    assert found["exceptions"].status == "passed"
    stale = Known.declare(GOOD, "zero", tmp_path / "stale.py")
    (outcome,) = outcomes(stale, bench, "zero").values()
    assert (outcome.status, outcome.seen) == ("failed", "it passes")
    unneeded = Known.declare(GOOD, "served", tmp_path / "unneeded.py")
    (outcome,) = outcomes(unneeded, bench, "served").values()
    assert (outcome.status, outcome.seen) == ("failed", "it does not apply: it has no hooks")


def test_other_settings_of_a_method_can_be_checked(bench: Workbench) -> None:
    for row in ("textual_sft+modality=image", "textual_unlearning+ascent=bounded"):
        found = outcomes(row, bench, "terms", "roles", "clean", "artifact")
        assert {o.status for o in found.values()} == {"passed"}, found


def test_training_on_anything_but_the_declared_pools_is_seen(
    bench: Workbench, tmp_path: Path
) -> None:
    path = tmp_path / "borrowing.py"
    path.write_text(
        GOOD.replace(
            TRAIN,
            "        from dataclasses import replace\n"
            "        pool = job.pools['forget']\n"
            "        strange = [replace(s, behaviour='another') for s in pool.samples]\n"
            "        pools = {**job.pools, 'forget': replace(pool, samples=tuple(strange))}\n"
            "        job.minimise(self.losses, config=self.config, pools=pools)\n",
        )
    )
    (outcome,) = outcomes(path, bench, "blind").values()
    assert outcome.status == "failed"
    assert "phase 'train' trains on 'testbed-harmful/" in (outcome.seen or "")


@pytest.mark.parametrize(
    "line", ["from methods.npo import METHOD", "from ..npo import METHOD as Npo"]
)
def test_a_method_imports_no_other_method(line: str, tmp_path: Path) -> None:
    path = tmp_path / "borrowing.py"
    path.write_text(f"{line}\n")
    for own in (None, "methods.borrowing"):
        assert forbidden_imports([path], own=own)
    path.write_text("from methods.borrowing.parts import x\nfrom .parts import y\n")
    assert forbidden_imports([path], own="methods.borrowing") == []


def test_a_method_that_the_suite_cannot_serve_says_so(
    bench: Workbench, plugins: dict[str, Path]
) -> None:
    found = outcomes(plugins["elsewhere"], bench)
    assert failed(found) == {"runs"}
    assert "no train pool 'nowhere'" in (found["runs"].seen or "")
    assert found["zero"].reason == "see `runs`"


def test_an_unknown_check_or_method_is_one_line(bench: Workbench) -> None:
    with pytest.raises(UserError, match="unknown check 'zeros', did you mean|'zero'"):
        outcomes("original", bench, "zeros")
    with pytest.raises(UserError, match="unknown method 'orginal'"):
        outcomes("orginal", bench)


def test_the_command_prints_what_to_do(
    capsys: pytest.CaptureFixture[str], plugins: dict[str, Path]
) -> None:
    name = str(plugins["source_broken"])
    assert main(["check", "method", name, "--only", "source", "--only", "config"]) == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0] == name
    assert said[1].split()[:2] == ["FAILED", "source"]
    assert [line.split()[0] for line in said[2:5]] == ["expected:", "seen:", "do:"]
    assert said[-1].endswith("1 passed, 1 failed")
    assert main(["check", "method", name, "--only", "config", "--json"]) == 0
    (found,) = json.loads(capsys.readouterr().out)
    assert (found["check"], found["status"], found["method"]) == ("config", "passed", name)
    assert main(["check", "method", "orginal"]) == 2

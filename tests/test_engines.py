"""Which engine answers, what is recorded of it, and what is done where memory or vLLM is short."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import torch
from live_models import pools, sample, untrained
from safetensors.torch import load_file, save_file

from benchmark.cli import main
from benchmark.core.errors import MissingError, RunFailed
from benchmark.core.records import Response
from benchmark.core.samples import Sample
from benchmark.engines.child import ChildEnded, JsonChild
from benchmark.engines.engine import Engine
from benchmark.engines.hooked import Generate
from benchmark.engines.local import LocalEngine
from benchmark.engines.plan import halved
from benchmark.engines.served import INDEX, with_former_names
from benchmark.engines.vllm_installed import PYTHON_VARIABLE, WORKER, installed_vllm
from benchmark.runner import RunRequest, run
from benchmark.stages.answers import Answers
from benchmark.stages.serving import Served, check_served

SUITE = str(Path(__file__).parent / "suites" / "small-safety.yaml")
UNSERVED = '''"""Another word, by one engine alone."""
from dataclasses import replace
from benchmark.api import Method, MethodConfig, RewriteRequest, Unlearned

class Reword(RewriteRequest):
    served_by = ("local",)

    def rewrite_request(self, sample):
        return replace(sample, prompt="what is this?")

class Rewording(Method[MethodConfig]):
    deterministic = True

    def unlearn(self, job):
        return Unlearned()

    def hooks(self, state):
        return (Reword(),)

METHOD = Rewording
'''


def asked(folder: Path) -> list[Sample]:
    return [s for pool in pools(folder, images=True).values() for s in pool.samples]


class Cramped(LocalEngine):
    """Has memory for so many requests at once."""

    room = 3

    @property
    def _generate(self) -> Generate:
        def generate(samples: Sequence[Sample], *, strict: bool = True) -> list[Response]:
            if len(samples) > self.room:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
            return LocalEngine._generate(self, samples, strict=strict)

        return generate


def in_batches(engine: LocalEngine, samples: Sequence[Sample], folder: Path) -> tuple[Any, ...]:
    """Sizes of the batches, the answers that are on disk, and what was said meanwhile."""
    said: list[str] = []
    answers = Answers(folder)
    batches = answers.ask(engine, samples, batch_size=8, stored=lambda: None, note=said.append)
    return [len(batch) for batch in batches], Answers(folder).there, said


def test_a_plan_is_halved_from_the_first_batch_that_is_left():
    one, two, three, four, five = (sample(name) for name in ("a", "b", "c", "d", "e"))
    plan = [[one, two], [three, four, five]]
    assert halved(plan, after=1) == [[one, two], [three, four], [five]]
    assert halved(plan, after=0) == [[one], [two], [three, four], [five]]


def test_where_memory_runs_out_the_rest_goes_on_in_halves_and_nothing_is_lost(tmp_path, capsys):
    model, samples = untrained(), asked(tmp_path)
    whole = {r.sample_id: r for r in LocalEngine(model, max_new_tokens=5).answer(samples)}
    cramped = Cramped(model, max_new_tokens=5)
    sizes, there, said = in_batches(cramped, samples, tmp_path / "a")
    assert sizes == [2] * 6
    assert {name: r.text for name, r in there.items()} == {n: r.text for n, r in whole.items()}
    # Four with a picture were too many; of the eight without, four were.
    assert said == ["memory ran out with 4 requests at once: going on with half"] * 2
    # A later attempt finds the halves that the first one came to, and asks nobody anything.
    cramped.room = 0
    assert in_batches(cramped, samples, tmp_path / "a") == (sizes, there, [])


def test_one_request_that_is_too_large_is_out_of_memory(tmp_path):
    cramped = Cramped(untrained(), max_new_tokens=5)
    cramped.room = 0
    with pytest.raises(torch.OutOfMemoryError):
        in_batches(cramped, asked(tmp_path)[:4], tmp_path / "a")
    assert Answers(tmp_path / "a").there == {}


def child(tmp_path: Path, code: str) -> JsonChild:
    return JsonChild([sys.executable, "-c", code], log=tmp_path / "log", more={})


def test_a_child_answers_line_by_line_and_leaves_when_nobody_asks(tmp_path):
    echo = "import sys\nfor line in sys.stdin: print(line, end='', flush=True)"
    one = child(tmp_path, echo)
    assert [one.ask({"n": n}) for n in (1, 2)] == [{"n": 1}, {"n": 2}]
    one.close()
    one.close()
    assert one._process.returncode == 0


@pytest.mark.parametrize(
    ("deed", "how"),
    [
        ("sys.exit('it is too dark')", "ended with exit code 1: it is too dark"),
        ("os.kill(os.getpid(), 9)", "was killed by SIGKILL: without a word"),
        ("print('no JSON', flush=True)", "ended with exit code 0: without a word"),
    ],
)
def test_a_child_that_ends_without_a_reply_leaves_its_last_words(tmp_path, deed, how):
    one = child(tmp_path, f"import os, sys\nsys.stdin.readline()\n{deed}")
    with pytest.raises(ChildEnded, match=f"^{how}$"):
        one.ask({})


def test_the_worker_says_what_its_python_lacks(tmp_path):
    # Isolated and without any installed package: no vLLM, wherever this runs.
    one = JsonChild([sys.executable, "-I", "-S", str(WORKER)], log=tmp_path / "log", more={})
    reply = one.ask({"check": "nowhere", "dtype": "float32"})
    one.close()
    assert reply["words"] == "ModuleNotFoundError: No module named 'vllm'"
    assert "Traceback" in (tmp_path / "log").read_text()


@pytest.fixture
def without_vllm(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(PYTHON_VARIABLE, str(tmp_path / "none"))


@pytest.mark.usefixtures("without_vllm")
def test_vllm_that_is_not_there_is_one_line_before_anything_is_trained(capsys, tmp_path):
    with pytest.raises(MissingError, match=r"`make setup-vllm` installs it"):
        installed_vllm()
    arguments = ["--suite", SUITE, "--model", "testbed-llava", "--engine", "vllm"]
    assert main(["run", "--method", "textual_unlearning", *arguments]) == 2
    (line,) = [one for one in capsys.readouterr().err.splitlines() if one.startswith("error: ")]
    assert "vLLM is not installed" in line and "make setup-vllm" in line
    assert not list(tmp_path.glob("results/local/stages/*/*/manifest.json"))


@pytest.mark.usefixtures("without_vllm")
def test_auto_says_what_it_chose_and_why(capsys, tmp_path):
    request = RunRequest(
        method="original", suite=SUITE, limit=1, device="cpu", engine="auto", results=tmp_path
    )
    record = run(request)
    assert (record.status, record.spec.engine) == ("done", "local")
    assert record.serving is not None and record.serving.probe is None
    n_asked = sum(batch.size * batch.n for batch in record.serving.batches)
    assert n_asked == sum(use.n for use in record.data)
    assert "engine local: vLLM is not installed" in capsys.readouterr().err
    plugin = tmp_path / "rewording.py"
    plugin.write_text(UNSERVED)
    assert run(replace(request, method=str(plugin))).spec.engine == "local"
    line = "engine local: hook Reword cannot be served by engine 'vllm'; it is served by: local"
    assert line in capsys.readouterr().err


def answers(*texts: str) -> dict[str, Response]:
    return {
        f"p{n}": Response(sample_id=f"p{n}", text=text, n_prompt_tokens=1, n_answer_tokens=1)
        for n, text in enumerate(texts)
    }


def figures(
    served: str, expected: str, base: str, *, precision: str = "fp32", weights: bool = True
) -> Any:
    """Of a run that answers so, where transformers and the untouched model do so; by letters."""
    spec = SimpleNamespace(engine="vllm", method="npo", precision=precision)
    return check_served(
        cast(Any, SimpleNamespace(spec=spec)),
        cast(Any, SimpleNamespace(info=SimpleNamespace(has_weights=weights))),
        Served(engine=cast(Engine, None), expected=answers(*expected)),
        answers(*served),
        base=answers(*base),
    )  # fmt: skip


def test_what_is_served_must_be_the_method_and_not_the_untouched_model():
    found = figures("abcd", "abcd", "abxx")
    assert (found.n, found.n_agree, found.n_changed) == (4, 4, 2)
    # The untouched model itself has nothing to differ from.
    assert figures("abcd", "abcd", "abcd", weights=False).n_changed is None
    with pytest.raises(RunFailed, match="3 of 4 probes are answered as transformers does, 99% are"):
        figures("abcx", "abcd", "xxxx")
    with pytest.raises(RunFailed, match="all 4 probes in the forget scope are answered as by the"):
        figures("abcd", "abcd", "abcd")
    # Coarser sums may end in other words, but not in those of other weights.
    assert figures("abcx", "abcd", "xxxx", precision="bf16").n_agree == 3
    with pytest.raises(RunFailed, match="1 of 4 probes are answered .*, 3 as the untouched one"):
        figures("axxx", "abcd", "bxxx", precision="bf16")
    assert figures("", "", "") is None


def test_weights_bear_the_names_that_vllm_looks_for(tmp_path):
    shipped = tmp_path / "shipped"
    shipped.mkdir()
    names = {
        "vision_tower.encoder.layers.0.mlp.fc1.weight":
            "vision_tower.vision_model.encoder.layers.0.mlp.fc1.weight",
        "language_model.lm_head.weight": "language_model.lm_head.weight",
    }  # fmt: skip
    save_file({name: torch.ones(1) for name in names}, shipped / "a.safetensors")
    (shipped / "config.json").write_text("{}")
    (shipped / INDEX).write_text(json.dumps({"weight_map": dict.fromkeys(names, "a.safetensors")}))
    served = with_former_names(shipped, to=tmp_path / "served")
    assert set(load_file(served / "a.safetensors")) == set(names.values())
    assert next(iter(names.values())) in (served / INDEX).read_text()
    assert (served / "config.json").read_text() == "{}"
    # What has these names already is served from where it is.
    assert with_former_names(served, to=tmp_path / "again") == served

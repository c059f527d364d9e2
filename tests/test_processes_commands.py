"""Commands in several processes: what one comes to, and one line for what cannot be."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from faults.small_run import SUITE
from faults.traps import Kill, Trap
from live_models import untrained_checkpoint

from benchmark.cli import main
from benchmark.commands.accelerated import read_accelerate
from benchmark.core.store import REPOSITORY

if TYPE_CHECKING:
    from faults.product import Product, Running

DEADLINE_S = 120.0
# Made before anything that a command prints is looked at.
CHECKPOINT = untrained_checkpoint()
# A part for each of two processes: added up in the same order as by one that takes both.
SETTINGS = ("batch_size=2", "micro_batch=1", "learning_rate=0.01", "steps=4", "lora_dropout=0.1")
ACCELERATE = """
compute_environment: LOCAL_MACHINE
distributed_type: MULTI_CPU
num_machines: 1
num_processes: 2
mixed_precision: 'no'
use_cpu: true
"""

# With two lines of those that `accelerate config` writes for it.
FSDP = """
compute_environment: LOCAL_MACHINE
distributed_type: FSDP
fsdp_config:
  fsdp_version: 2
  fsdp_reshard_after_forward: true
  fsdp_cpu_ram_efficient_loading: true
num_machines: 1
num_processes: 2
mixed_precision: 'no'
use_cpu: true
"""


def train(*more: str, settings: tuple[str, ...] = SETTINGS) -> list[str]:
    """A training of a second."""
    return [
        "train", "--method", "textual_unlearning", "--set", " ".join(settings), "--suite",
        str(SUITE), "--model", str(CHECKPOINT), "--device", "cpu",
        "--checkpoint-every", "0", *more,
    ]  # fmt: skip


def told(n: int) -> list[dict[str, str]]:
    """What `torchrun` tells each of `n` processes."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        port = str(one.getsockname()[1])
    all_ = {
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": port,
        "WORLD_SIZE": str(n),
        "LOCAL_WORLD_SIZE": str(n),
    }
    return [all_ | {"RANK": str(index), "LOCAL_RANK": str(index)} for index in range(n)]


def started(
    product: Product,
    command: list[str],
    *,
    folder: Path,
    first: Any = (),
    more: Mapping[str, str] | None = None,
) -> list[Running]:
    """Two processes with one command, told `more` by variables; traps are set for the first."""
    return [
        product.start(
            command,
            folder=folder,
            variables={**variables, **(more or {})},
            traps=() if index else first,
        )
        for index, variables in enumerate(told(2))
    ]


def left(folder: Path) -> dict[str, Any]:
    """What a training left: its files by digest, its losses and its counts."""
    (manifest,) = folder.rglob("stages/train/*/manifest.json")
    found = json.loads(manifest.read_text())
    training = found["training"]
    (divided,) = training.pop("divisions")
    # peft writes a set there, in an order of its process's own.
    files = {name: sha for name, sha in found["files"].items() if name != "adapter_config.json"}
    return {"files": files, **training, "divided": divided}


@pytest.fixture(scope="module")
def alone(product: Product, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What one process leaves."""
    folder = tmp_path_factory.mktemp("alone")
    assert product.run(train(), folder=folder).code == 0
    return left(folder)


def without_division(found: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in found.items() if name != "divided"}


def test_under_torchrun_two_leave_what_one_does_to_the_last_bit(
    product: Product, alone: dict[str, Any], tmp_path: Path
) -> None:
    first, second = (one.wait() for one in started(product, train(), folder=tmp_path))
    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert (second.out, second.err) == ("", ""), "the first alone speaks"
    assert not second.operations, "and writes"
    two = left(tmp_path)
    assert without_division(two) == without_division(alone)
    assert "adapter_model.safetensors" in alone["files"]
    assert alone["divided"] == {
        "phase": "train", "batch_size": 2, "micro_batch": 1, "accumulation": 2, "processes": 1,
        "strategy": "none",
    }  # fmt: skip
    assert two["divided"] == alone["divided"] | {
        "accumulation": 1, "processes": 2, "strategy": "ddp",
    }  # fmt: skip


def test_where_the_first_is_killed_the_other_ends_and_one_goes_on(
    product: Product, alone: dict[str, Any], tmp_path: Path
) -> None:
    trap = Trap(pattern="results/local/stages/train/*/train.losses.jsonl", nth=3, deed=Kill())
    both = started(product, train(), folder=tmp_path, first=[trap])
    first, second = (one.wait() for one in both)
    assert first.killed and second.code == 1
    again = product.run(train(), folder=tmp_path)
    assert again.code == 0, again.err
    found = left(tmp_path)
    assert found.pop("resumed_at_steps") not in ([], [4])
    assert found["files"] == alone["files"] and found["curves"] == alone["curves"]
    assert found["n_tokens"] == alone["n_tokens"]


def test_processes_are_started_here_as_a_file_of_accelerate_says(
    alone: dict[str, Any],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(ACCELERATE)
    command = train("--results", str(tmp_path), "--accelerate", str(file), "--json")
    # They are started as this one was.
    monkeypatch.setattr(sys, "argv", ["benchmark", *command])
    monkeypatch.chdir(REPOSITORY)
    assert main(command) == 0
    said = capfd.readouterr()
    assert said.err.count("loading ...") == 1
    assert json.loads(said.out)["exit_code"] == 0
    two = left(tmp_path)
    assert two["divided"]["processes"] == 2
    assert without_division(two) == without_division(alone)


def test_they_hold_shards_where_it_says_fsdp(
    product: Product, alone: dict[str, Any], tmp_path: Path
) -> None:
    """With what the file has each find around it, as the processes above were started."""
    file = tmp_path / "two.yaml"
    file.write_text(FSDP)
    n, variables = read_accelerate(file, device="cpu")
    assert n == 2
    both = started(product, train(), folder=tmp_path / "two", more=variables)
    first, second = (one.wait() for one in both)
    assert (first.code, second.code) == (0, 0), first.err + second.err
    two = left(tmp_path / "two")
    assert two["divided"] == alone["divided"] | {
        "accumulation": 1, "processes": 2, "strategy": "fsdp",
    }  # fmt: skip
    assert two["files"].keys() == alone["files"].keys()
    for term, curve in alone["curves"].items():
        for (step, value), (same, close) in zip(curve, two["curves"][term], strict=True):
            assert same == step and close == pytest.approx(value, rel=1e-4)


def members(group: int) -> list[int]:
    """Processes of a group that are not over."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, _, its_group = stat.read_text().rpartition(")")[2].split()[:3]
        except (FileNotFoundError, ProcessLookupError):
            continue
        if int(its_group) == group and state != "Z":
            found.append(int(stat.parent.name))
    return found


@pytest.fixture
def group(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A long training in two processes that were started by the command, in a group of its own, as
    a terminal has it; it has begun."""
    settings = (*(one for one in SETTINGS if one != "steps=4"), "steps=100000")
    command = train("--results", str(tmp_path), "--processes", "2", settings=settings)
    running = subprocess.Popen(
        [sys.executable, "-m", "benchmark", *command], cwd=REPOSITORY, text=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, start_new_session=True,
        # As from a terminal, whatever this test was started from.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    try:
        until = time.monotonic() + DEADLINE_S
        while not any(file.stat().st_size for file in tmp_path.rglob("train.losses.jsonl")):
            assert running.poll() is None and time.monotonic() < until
            time.sleep(0.1)
        yield running
    finally:
        for one in members(running.pid):
            os.kill(one, signal.SIGKILL)
        running.communicate()


def test_ctrl_c_ends_all_and_says_how_to_go_on(group: subprocess.Popen[str]) -> None:
    os.killpg(group.pid, signal.SIGINT)
    _, said = group.communicate(timeout=DEADLINE_S)
    assert group.returncode == 130
    assert "interrupted; run the same command again" in said and "Traceback" not in said


def test_where_the_command_is_killed_its_processes_go_too(group: subprocess.Popen[str]) -> None:
    assert len(members(group.pid)) == 3
    group.kill()
    until = time.monotonic() + DEADLINE_S
    while members(group.pid):
        assert time.monotonic() < until
        group.poll()
        time.sleep(0.1)


# -- what cannot be ------------------------------------------------------------------------------


def error_of(capsys: pytest.CaptureFixture[str], code: int) -> str:
    (line,) = capsys.readouterr().err.splitlines()
    assert code == 2 and line.startswith("error: ")
    return line


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (("batch_size=4",), "2 processes share a batch of 4 in micro-batches: say how large these "
         "are, by --set micro_batch=2 (with make: SET=\"micro_batch=2\")"),
        (("batch_size=6", "micro_batch=2"), "micro-batches of 2 in 2 processes take 4 samples at "
         "once, and a batch of 6 is no multiple of that"),
    ],
)  # fmt: skip
def test_a_batch_that_two_cannot_share_is_one_line(
    settings: tuple[str, ...], words: str, product: Product, tmp_path: Path
) -> None:
    command = train(settings=("steps=1", *settings))
    first, second = (one.wait() for one in started(product, command, folder=tmp_path))
    (line,) = first.error_lines
    assert words in line and first.code == 2
    assert (second.code, second.out, second.err) == (0, "", "")


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        (("MULTI_CPU", "DEEPSPEED"), "DEEPSPEED is not offered, only MULTI_GPU, MULTI_CPU, FSDP;"),
        (("MULTI_CPU", "FSDP"), "FSDP's first version is not offered: say distributed_type: FSDP"),
        (("machines: 1", "machines: 2"), "2 machines: start each by `accelerate launch"),
        (("'no'", "bf16"), "mixed_precision bf16: the precision is the preset's or the model's"),
        (("use_cpu: true", "use_cpu: false"), "use_cpu is false: --device cpu wants use_cpu: true"),
        (("num_processes: 2", "num_processes: ["), "not valid YAML"),
        ((ACCELERATE, ""), "expected 'key: value' lines at the top, got nothing"),
        ((ACCELERATE, "num_processes: 2"), "A `distributed_type` must be specified"),
        (("num_processes: 2", "num_processes: 0"), "num_processes is missing, or no such number"),
        (("num_processes: 2", ""), "it does not say how many: num_processes is missing"),
        (
            ("use_cpu: true", "use_cpu: true\ndynamo_config: {dynamo_backend: INDUCTOR}"),
            "dynamo_backend inductor: nothing is compiled here; say no",
        ),
        (
            (ACCELERATE, FSDP.replace("num_processes: 2", "num_processes: 1")),
            "num_processes: 1: shards want two processes at least",
        ),
        (
            (
                ACCELERATE,
                FSDP.replace("fsdp_version: 2", "fsdp_version: 2\n  fsdp_ofload_params: true"),
            ),
            "unknown setting 'fsdp_ofload_params', did you mean 'fsdp_offload_params'?",
        ),
    ],
)
def test_a_file_of_accelerate_that_is_not_for_here_is_one_line(
    changed: tuple[str, str], words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "asked.yaml"
    file.write_text(ACCELERATE.replace(*changed))
    line = error_of(capsys, main(train("--accelerate", str(file))))
    assert words in line and str(file) in line


def test_a_file_that_is_missing_and_two_that_say_how_many(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    missing = str(tmp_path / "none.yaml")
    line = error_of(capsys, main(train("--accelerate", missing)))
    assert missing in line
    line = error_of(capsys, main(train("--accelerate", missing, "--processes", "2")))
    assert "--processes and --accelerate both say how many" in line
    for name, value in told(3)[0].items():
        monkeypatch.setenv(name, value)
    line = error_of(capsys, main(train("--processes", "2")))
    assert "--processes 2, but 3 were started" in line


@pytest.mark.parametrize("command", ["serve", "ask", "table", "plan"])
@pytest.mark.parametrize("rank", [0, 1])
def test_other_commands_are_of_one_process(
    command: str,
    rank: int,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in told(2)[rank].items():
        monkeypatch.setenv(name, value)
    code = main([command])
    if rank:
        assert code == 2 and not capsys.readouterr().err
        return
    assert f"{command} runs in one process, and 2 were started; run, train" in error_of(
        capsys, code
    )

"""What becomes of an error while weights are rounded: a machine that cannot, or anything else."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from benchmark.cli import main
from benchmark.core.errors import UserError
from benchmark.core.store import StorageError
from benchmark.durability.holding import Holding
from benchmark.probes.serving import trained
from benchmark.progress import Reporter
from benchmark.stages.resolve import RunRequest
from benchmark.treating import NotPossible

SUITE = str(Path(__file__).parent / "suites" / "small-safety.yaml")
ANSWER = "transformers.models.llama.modeling_llama.LlamaModel.forward"
CANNOT = "nf4 weights cannot be served on device 'cpu' here"


@pytest.fixture(scope="module")
def holding(tmp_path_factory: pytest.TempPathFactory) -> Holding:
    """The untouched model of the testbed."""
    results, quiet = tmp_path_factory.mktemp("results"), Reporter(quiet=True)
    request = RunRequest(method="original", suite=SUITE, device="cpu", results=results)
    made = trained(request, reporter=quiet)
    return Holding(made.run, made.artifact, loaded=made.loaded, reporter=quiet)


def raising(error: Exception) -> Callable[..., None]:
    def fail(*_arguments: object, **_named: object) -> None:
        raise error

    return fail


def test_a_machine_that_can_round_answers(holding: Holding) -> None:
    assert holding.merged("nf4").precision == "nf4"


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("transformers.quantizers.quantizer_bnb_4bit.is_bitsandbytes_available", False),
        ("transformers.integrations.validate_bnb_backend_availability", RuntimeError("no GPU")),
        ("bitsandbytes.functional.quantize_4bit", RuntimeError("no kernel to round")),
        ("bitsandbytes.matmul_4bit", RuntimeError("no kernel to multiply")),
        ("bitsandbytes.matmul_4bit", ValueError("only 16-bit floats")),
    ],
)
def test_what_a_quantiser_cannot_do_here_is_not_possible(
    name: str, said: Exception | bool, holding: Holding, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a package that is not there to a product that nobody has written."""
    monkeypatch.setattr(name, raising(said) if said else lambda: said)
    with pytest.raises(NotPossible, match=CANNOT):
        holding.merged("nf4")


def test_an_operation_without_a_kernel_is_not_possible_wherever_it_is_called(
    holding: Holding, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch's own words, of an operation that is declared and has no kernel on any device."""
    library = torch.library.Library("without_a_kernel", "DEF")
    library.define("round(Tensor x) -> Tensor")
    monkeypatch.setattr(ANSWER, lambda *_, **__: torch.ops.without_a_kernel.round(torch.zeros(1)))
    with pytest.raises(NotPossible, match=CANNOT):
        holding.merged("nf4")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (TypeError, "a bug"),
        (RuntimeError, "mat1 and mat2 shapes cannot be multiplied"),
        (OSError, "no space left on device"),
        (StorageError, "cannot write it"),
        (UserError, "no such thing"),
        (torch.OutOfMemoryError, "out of memory"),
    ],
)
def test_all_else_comes_as_it_is(
    kind: type[Exception], words: str, holding: Holding, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was taken for a machine that cannot round, which ends well and may be published."""
    monkeypatch.setattr(ANSWER, raising(kind(words)))
    with pytest.raises(kind, match=words):
        holding.merged("nf4")


def test_a_checkpoint_that_is_damaged_is_no_fault_of_the_rounding(
    holding: Holding, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("benchmark.vlm.loading._check_whole", raising(ValueError("weights lack")))
    with pytest.raises(UserError, match="cannot be loaded: weights lack"):
        holding.merged("nf4")


def test_memory_that_runs_out_while_loading_is_said_to_be_that(
    holding: Holding, monkeypatch: pytest.MonkeyPatch
) -> None:
    short = RuntimeError("DefaultCPUAllocator: can't allocate memory")
    monkeypatch.setattr("transformers.integrations.validate_bnb_backend_availability",
                        raising(short))  # fmt: skip
    with pytest.raises(RuntimeError, match="allocate memory"):
        holding.merged("nf4")


def test_a_bug_fails_with_its_traceback_and_is_not_published(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ANSWER, raising(TypeError("a bug of ours")))
    asked = ["durability", "original", "--model", "testbed-llava", "--suite", SUITE, "--device",
             "cpu", "--treatments", "nf4", "--limit", "1", "--jobs", "1", "--json"]  # fmt: skip
    assert main(asked) == 1
    said = capsys.readouterr()
    assert "Traceback" in said.err and "TypeError: a bug of ours" in said.err
    records = [json.loads(Path(path).read_text()) for path in json.loads(said.out)["records"]]
    ended = {(one["method"], one["treatment"]): one["status"] for one in records}
    assert ended["original", "nf4"] == "failed"

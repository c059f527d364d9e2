"""A record says in which form trained weights answered; rounded ones take nothing into them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmark.cli import main
from benchmark.core.records import RunRecord
from benchmark.core.store import REPOSITORY
from benchmark.probes.serving import trained
from benchmark.progress import Reporter
from benchmark.stages.resolve import RunRequest
from benchmark.stages.serving import serving

SUITE = str(Path(__file__).parent / "suites" / "small-safety.yaml")
PUBLISHED = REPOSITORY / "results/published/testbed-safety/testbed-llava/npo/0.json"
QUICK = "batch_size=4+steps=1"


@pytest.mark.parametrize(
    ("method", "form"),
    [
        ("original", "no weights trained"),
        ("gold", "another checkpoint"),
        (f"textual_sft+{QUICK}", "adapter merged into fp32 weights"),
        (f"textual_sft+{QUICK}+trains.language=full", "weights trained in full"),
        (f"textual_sft+{QUICK}+trains.language=lora_int8", "adapter beside int8 weights"),
        (f"textual_sft+{QUICK}+trains.language=qlora", "adapter beside nf4 weights"),
        (
            f"textual_sft+{QUICK}+trains.projector=full",
            "weights trained in full, adapter merged into fp32 weights",
        ),
        (
            f"tga+{QUICK}+projector_batch_size=2+projector_steps=1",
            "weights trained in full over testbed-llava-stage2",
        ),
    ],
)
def test_the_form_of_what_was_trained_is_said(method: str, form: str, tmp_path: Path) -> None:
    request = RunRequest(
        method=method, model="testbed-llava", suite=SUITE, device="cpu", results=tmp_path
    )
    made = trained(request, reporter=Reporter(quiet=True))
    with serving(
        made.run, made.artifact, [], probe=[], loaded=made.loaded, folder=tmp_path, note=print
    ) as served:
        assert served.form == form


def test_the_record_keeps_it_and_show_says_it(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    where = ["--suite", SUITE, "--model", "testbed-llava", "--results", str(tmp_path)]
    run = ["run", "--method", f"textual_sft+{QUICK}", *where, "--device", "cpu", "--limit", "1"]
    assert main([*run, "--json"]) == 0
    (ended,) = json.loads(capsys.readouterr().out)["runs"]
    record = RunRecord.model_validate_json(Path(ended["record"]).read_bytes())
    assert record.serving is not None
    assert record.serving.form == "adapter merged into fp32 weights"
    assert main(["show", ended["record"]]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "answered by engine local: adapter merged into fp32 weights" in said


def test_records_from_before_it_was_kept_are_read(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", str(PUBLISHED)]) == 0
    said = capsys.readouterr().out
    assert "npo on testbed-llava" in said and "answered by engine" not in said

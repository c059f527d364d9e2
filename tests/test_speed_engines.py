"""Engines beside the plain loop: the same requests, the same words, no figure of what is not."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
from live_models import sample

from benchmark.cli import main
from benchmark.core.errors import RunFailed
from benchmark.engines.vllm_installed import PYTHON_VARIABLE
from benchmark.speed.engines import Side, shares_of, take_turns
from benchmark.testbed.architectures import LLAVA

SUITE = Path(__file__).parent / "suites" / "small-safety.yaml"


def test_every_share_is_answered_by_all_and_who_is_first_turns():
    samples = [sample(str(number)) for number in range(10)]
    shares = shares_of(samples, n=3)
    assert [len(share) for share in shares] == [3, 3, 3]
    assert len({one.id for share in shares for one in share}) == 9
    with pytest.raises(RunFailed, match="10 requests are too few for 10 rounds"):
        shares_of(samples, n=11)
    order: list[str] = []

    def side(name: str) -> Side:
        return Side(name, lambda asked: order.append(name) or {one.id: name for one in asked}, 0.0)

    sides = [side("a"), side("b")]
    take_turns(sides, shares, device="cpu", say=lambda _line: None)
    assert "".join(order) == "abbaab"
    assert all(len(one.took_s) == 3 and len(one.said) == 9 for one in sides)


def test_engines_that_are_there_say_what_the_plain_loop_says(tmp_path, capsys, monkeypatch):
    LLAVA.untrained(0, vision_layers=1, language_layers=1).save_pretrained(tmp_path)
    LLAVA.processor().save_pretrained(tmp_path)
    monkeypatch.setenv(PYTHON_VARIABLE, str(tmp_path / "none"))
    command = ["speed", "engines", "--model", str(tmp_path), "--suite", str(SUITE)]
    command += ["--rounds", "1", "--device", "cpu"]
    assert main([*command, "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert main(["schema", "speed", "engines"]) == 0
    jsonschema.validate(found, json.loads(capsys.readouterr().out))
    plain, local = found["sides"]
    assert plain["times"]["median"] == 1.0
    assert plain["n_identical"] == local["n_identical"] == found["n_samples"] > 10
    assert found["n_with_images"] > 0
    assert "make setup-vllm" in found["without"]["vllm"]
    assert main(command) == 0
    words = capsys.readouterr().out
    assert max(map(len, words.splitlines())) <= 80, words
    assert "local, our batches" in words
    assert "`make setup-vllm` installs it" in " ".join(words.split())

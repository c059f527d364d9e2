"""What `doctor` and `list datasets` say of data sets: one line each, and the step that mends it."""

from __future__ import annotations

import hashlib
import io
import json
import time
from pathlib import Path

import pytest
from PIL import Image

from benchmark.cli import main
from benchmark.commands.sets_listed import with_card
from benchmark.core import registry
from benchmark.core.store import REPOSITORY

HEAD = "title: A set\nroles: [attack]\nlicence: MIT\ncolumns: {prompt: q, image: image}\n"
CARDS = {
    "hub": "source: {kind: hub, repo: org/set}\nsplits: {test: {}}\n",
    "locked": "gated: true\nsource: {kind: hub, repo: org/locked}\nsplits: {test: {}}\n",
    "mail": "source: {kind: csv, obtain: ask a@b.org}\nsplits: {test: {file: m.csv}}\n",
    "here": "source: {kind: csv}\nsplits: {test: {file: h.csv, expected: 3}}\n",
    "broken": "source: {kind: csv}\nsplits: {test: {file: ../h.csv}}\n",
}
SUITE = Path(__file__).parent / "suites" / "small-safety.yaml"


def _png() -> bytes:
    stream = io.BytesIO()
    Image.effect_noise((40, 40), 90).convert("RGB").save(stream, format="PNG")
    return stream.getvalue()


@pytest.fixture
def sets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """In place of datasets/: one of each kind, of which one is here."""
    folder = tmp_path / "sets"
    folder.mkdir()
    for name, text in CARDS.items():
        (folder / f"{name}.yaml").write_text(f"name: {name}\n{HEAD}{text}")
    (folder / "h.csv").write_text("q,image\na,1.png\nb,2.png\nc,3.png\n")
    for name in ("1.png", "2.png", "3.png"):
        (folder / name).write_bytes(_png())
    monkeypatch.setitem(registry.FOLDERS, "dataset", str(folder))
    return folder


def _said(capsys: pytest.CaptureFixture[str], *command: str, code: int) -> tuple[list[str], str]:
    capsys.readouterr()
    assert main(list(command)) == code
    said = capsys.readouterr()
    assert "Traceback" not in said.out + said.err
    return said.out.splitlines(), said.err


def test_a_machine_with_nearly_none_of_them(sets, capsys):
    lines, _ = _said(capsys, "doctor", code=3)
    own = lines[lines.index("data sets:") + 1 :]
    assert len(own) == len(CARDS) + 1, "one line for each, and one for all"
    by_name = {line.split()[1].rstrip(":"): line for line in own[:-1]}
    assert by_name["hub"].startswith("  MISSING  hub: missing; `python -m benchmark fetch --dat")
    assert "accept its licence at https://huggingface.co/datasets/org/locked" in by_name["locked"]
    assert f"by hand alone; ask a@b.org; put m.csv into {sets}" in by_name["mail"]
    assert "not pinned: no row on it is ranked; `python" in by_name["here"]
    assert "--lock` pins what is here" in by_name["here"]
    assert (
        "leads out of the data folder" in by_name["broken"] and "correct its" in by_name["broken"]
    )
    assert own[-1].startswith("4 of 5 data sets are not here; testbed-safety, ")


def test_a_suite_that_needs_none_of_them_is_well(capsys, monkeypatch):
    lines, _ = _said(capsys, "doctor", "--suite", str(SUITE), code=0)
    assert all(line.startswith("  ok  ") for line in lines[lines.index("data sets:") + 1 :])
    lines, error = _said(capsys, "doctor", "--suite", "x", "--dataset", "y", code=2)
    assert "give either" in error


def test_a_suite_is_told_what_it_may_not_train_on(capsys, monkeypatch):
    from benchmark.data import cards

    monkeypatch.setattr(cards.Card, "natural", True)
    lines, _ = _said(capsys, "doctor", "--suite", str(SUITE), code=0)
    assert any("lets weights be trained on it is not known; see its lic" in line for line in lines)
    read = cards._read
    monkeypatch.setattr(cards, "_read", lambda *a: read(*a).model_copy(update={"training": "no"}))
    lines, _ = _said(capsys, "doctor", "--suite", str(SUITE), code=3)
    assert any("does not let weights be trained on it; train on another" in line for line in lines)


def test_all_damaged_pictures_are_counted(sets, capsys):
    (sets / "1.png").write_bytes((sets / "1.png").read_bytes()[:-600])
    (sets / "2.png").write_bytes(b"no picture")
    (sets / "3.png").unlink()
    _, error = _said(capsys, "doctor", "--dataset", "here", code=2)
    (line,) = error.splitlines()
    assert "1 missing and 2 damaged pictures: " in line
    assert all(f"{number}.png" in line for number in (1, 2, 3))
    assert line.endswith("get its files again, or correct the card")


def test_rows_and_digests_are_held_against_the_card(sets, capsys):
    lines, _ = _said(capsys, "doctor", "--dataset", "here", code=0)
    assert lines[-1] == "  ok       here, split test: 3 rows, 3 images, fine"
    content = (sets / "h.csv").read_bytes()
    card = sets / "here.yaml"
    card.write_text(card.read_text().replace("expected: 3", "expected: 4"))
    _, error = _said(capsys, "doctor", "--dataset", "here", code=2)
    assert "split 'test': 3 rows where 4 are expected; get its files again" in error
    card.write_text(card.read_text().replace("expected: 4", f"sha256: {'0' * 64}"))
    _, error = _said(capsys, "doctor", "--dataset", "here", code=2)
    assert f"h.csv has SHA-256 {hashlib.sha256(content).hexdigest()}, not {'0' * 64}" in error
    card.write_text(card.read_text().replace("0" * 64, hashlib.sha256(content).hexdigest()))
    lines, _ = _said(capsys, "doctor", "--dataset", "here", code=0)
    assert lines[1] == "  ok       here: 1 file"


def test_programs_are_told_the_same(sets, capsys):
    lines, _ = _said(capsys, "doctor", "--json", code=3)
    checks = {check["name"]: check for check in json.loads("\n".join(lines))}
    assert checks["hub"]["state"] == "missing" and checks["hub"]["group"] == "data sets"
    assert checks["here"]["state"] == "note"


def test_a_listing_says_what_each_is(sets, capsys):
    lines, _ = _said(capsys, "list", "datasets", code=0)
    assert lines[0].split() == [
        "name", "roles", "n", "licence", "gated", "verified", "present", "title",
    ]  # fmt: skip
    by_name = {line.split()[0]: line.split()[1:7] for line in lines[1:]}
    assert by_name["here"] == ["attack", "3", "MIT", "no", "no", "yes"]
    assert by_name["locked"] == ["attack", "-", "MIT", "yes", "no", "gated"]
    assert by_name["mail"][-1] == "manual" and by_name["broken"][0] == "broken:"
    lines, _ = _said(capsys, "list", "datasets", "--json", code=0)
    facts = {one["name"]: one["facts"] for one in json.loads("\n".join(lines))}
    assert facts["here"]["present"] == "yes" and facts["hub"]["present"] == "missing"


def test_fifty_cards_are_listed_in_no_time(sets):
    """Processor time, with much to spare: each card is read and looked for on the disk."""
    for number in range(50):
        text = f"name: set{number}\n{HEAD}{CARDS['hub']}"
        (sets / f"set{number}.yaml").write_text(text)
    before = time.process_time()
    found = [with_card(entry) for entry in registry.entries("dataset").values()]
    assert len(found) == 55 and time.process_time() - before < 1


def test_the_shipped_cards_lie_where_they_are_looked_for():
    assert registry.FOLDERS["dataset"] == "datasets" and (REPOSITORY / "datasets").is_dir()

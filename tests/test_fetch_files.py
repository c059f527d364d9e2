"""`fetch` of sets whose cards name their files: from a repository, an address, or a folder; what
`--lock` writes into a card."""

from __future__ import annotations

import hashlib
import io
import tarfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_hub import CUT, FIRST, FakeHub, ask_it, serving
from PIL import Image

from benchmark.cli import main
from benchmark.core.errors import MissingError, UserError
from benchmark.data import fetching, samples
from benchmark.data.card_sources import WebSource
from benchmark.data.cards import Card, load_card
from benchmark.data.fetching import locking
from benchmark.data.fetching.locking import lock
from benchmark.data.images import ImageStore
from benchmark.data.presence import pinning, presence
from benchmark.data.sources import raw_rows
from benchmark.data.verifying import wrong_files
from benchmark.progress import Reporter

SHARED = Path(__file__).resolve().parents[2] / "shared" / "data"
HEAD = "name: set\ntitle: A set\nroles: [attack]\nlicence: MIT\ncolumns: {prompt: q}\n"
ROWS = b"q,image\nwhat?,1.png\nwho?,deep/2.png\n"
SHA256 = hashlib.sha256(ROWS).hexdigest()


def _png(grey: int) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8), (grey,) * 3).save(stream, format="PNG")
    return stream.getvalue()


PICTURES = {"1.png": _png(10), "deep/2.png": _png(20)}


def _zip(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as opened:
        for name, content in files.items():
            # Without a time of its own it has that of writing, and other bytes two seconds later.
            opened.writestr(zipfile.ZipInfo(name), content)
    return stream.getvalue()


def _tar(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as opened:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            opened.addfile(info, io.BytesIO(content))
    return stream.getvalue()


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeHub]:
    """One with a repository of files, and the same below an address that is no repository."""
    files = {
        "data/rows.csv": ROWS,
        "pictures.zip": _zip(PICTURES),
        "pictures.tar.gz": _tar(PICTURES),
    }
    loose = {f"pictures/{name}": content for name, content in PICTURES.items()}
    found = FakeHub().repo("org/set", {**files, **loose})
    found.files = {f"main/{name}": content for name, content in files.items()}
    monkeypatch.setattr(time, "sleep", lambda _: None)
    with serving(found):
        ask_it(found, monkeypatch, str(tmp_path / "cache"))
        yield found


def _card(folder: Path, source: str, split: str = "file: data/rows.csv", more: str = "") -> Card:
    folder.mkdir(exist_ok=True)
    path = folder / "set.yaml"
    path.write_text(f"{HEAD}source: {{{source}}}\nsplits:\n  test: {{{split}}}\n{more}")
    return load_card(str(path))


def _at(hub: FakeHub, card: Card) -> Card:
    """The card's files at a server of this machine, which speaks no https."""
    source = card.source.model_copy(update={"base": f"{hub.place}/plain/{{revision}}/"})
    made = card.model_copy(update={"source": source})
    made._path = card.path
    return made


def _fetch(card: Card, **more: Any) -> fetching.Brought:
    return fetching.fetch(card, reporter=Reporter(quiet=True), **more)


def _loaded(card: Card, tmp_path: Path) -> list[Any]:
    return samples.load(card, "test", images=ImageStore(tmp_path / "store"))


WEB = "kind: web, format: csv"
WITH_ZIP = f"{WEB}, repo: org/set, archives: [{{file: pictures.zip, into: pictures}}]"
SHOWN = "images: pictures\n"


@pytest.mark.parametrize("ending", ["zip", "tar.gz"])
def test_files_and_archives_of_a_repository(hub, tmp_path, ending):
    source = WITH_ZIP.replace("zip", ending)
    card = _card(tmp_path / "d", source, more=SHOWN)
    card = _card(tmp_path / "d", source, more=SHOWN.replace("images", "columns", 0))
    found = _fetch(card)
    assert found.fetched and found.n_files == 2 and presence(card).is_here
    there = {
        str(p.relative_to(tmp_path / "d")) for p in (tmp_path / "d").rglob("*.*") if p.is_file()
    }
    assert there == {
        "set.yaml", "fetched.json", "data/rows.csv", "pictures/1.png", "pictures/deep/2.png",
        f"pictures.{ending}.unpacked.json",
    }  # fmt: skip
    n_asked = len(hub.asked)
    assert not _fetch(card).fetched and len(hub.asked) == n_asked


def test_pictures_that_lie_loose_in_a_repository(hub, tmp_path):
    card = _card(tmp_path / "d", f"{WEB}, repo: org/set", more=SHOWN)
    assert _fetch(card).n_files == 3
    text = card.path.read_text().replace("{prompt: q}", "{prompt: q, image: image}")
    card.path.write_text(text)
    assert [one.prompt for one in _loaded(load_card(str(card.path)), tmp_path)] == ["what?", "who?"]


@pytest.mark.parametrize("place", ["repo", "base"])
def test_pictures_that_rows_name_one_by_one(hub, tmp_path, place):
    hub.files |= {f"main/pictures/{name}": content for name, content in PICTURES.items()}
    hub.repos["org/set"][FIRST]["pictures/unnamed.png"] = b"x"
    where = "repo: org/set" if place == "repo" else "base: 'https://example.org/{revision}/'"
    card = _card(tmp_path / "d", f"{WEB}, {where}, loose: true", more=SHOWN)
    text = card.path.read_text().replace("{prompt: q}", "{prompt: q, image: image}")
    card.path.write_text(text)
    card = load_card(str(card.path))
    card = card if place == "repo" else _at(hub, card)
    hub.fault("GET .*deep/2.png", 500, times=9)
    with pytest.raises(MissingError):
        _fetch(card)
    assert presence(card).found == "its pictures are missing"
    hub.faults.clear()
    assert _fetch(card).fetched and presence(card).is_here
    assert not (tmp_path / "d" / "pictures" / "unnamed.png").exists()
    assert len(_loaded(card, tmp_path)) == 2 and not _fetch(card).fetched
    # And out of a folder, wherever below it they lie.
    mine = _card(tmp_path / "e", f"{WEB}, {where}, loose: true", more=SHOWN)
    mine.path.write_text(text)
    assert _fetch(load_card(str(mine.path)), origin=tmp_path / "d").n_files == 3


def test_files_below_an_address_go_on_where_it_broke(hub, tmp_path):
    card = _at(hub, _card(tmp_path / "d", f"{WEB}, base: 'https://example.org/{{revision}}/'"))
    hub.files["main/data/rows.csv"] = ROWS + b"more?,1.png\n" * 9999
    hub.fault("GET /plain", CUT, times=1)
    hub.fault("GET /plain", 500, times=6)
    with pytest.raises(MissingError, match=r"127.0.0.1:\d+ answered 500; try again later"):
        _fetch(card)
    hub.faults.clear()
    _fetch(card)
    assert hub.n_sent < 1.1 * len(hub.files["main/data/rows.csv"])
    assert len(_loaded(card, tmp_path)) == 10_001
    assert hub.tokens == {None}, "a token of the hub's is for the hub"


def test_halves_of_two_versions_are_never_put_together(hub, tmp_path):
    card = _at(hub, _card(tmp_path / "d", f"{WEB}, base: 'https://example.org/'"))
    hub.files["main/data/rows.csv"] = b"q\n" + b"old\n" * 999
    hub.fault("GET /plain", CUT, times=1)
    hub.fault("GET /plain", 500, times=6)
    with pytest.raises(MissingError):
        _fetch(card)
    hub.faults.clear()
    hub.files["main/data/rows.csv"] = b"q\n" + b"new\n" * 999
    _fetch(card)
    assert {one.prompt for one in _loaded(card, tmp_path)} == {"new"}


@pytest.mark.parametrize("place", ["repo", "base"])
def test_another_checksum_is_one_line_with_both(hub, tmp_path, place):
    where = "repo: org/set" if place == "repo" else "base: 'https://example.org/'"
    split = f"file: data/rows.csv, sha256: {'0' * 64}"
    card = _card(tmp_path / "d", f"{WEB}, {where}", split)
    card = card if place == "repo" else _at(hub, card)
    with pytest.raises(UserError) as caught:
        _fetch(card)
    line = str(caught.value)
    assert f"data/rows.csv has digest {SHA256}, and the card says {'0' * 64}" in line
    assert "was deleted: fetch it again, and if it stays so, correct the card" in line
    assert line.startswith("card 'set': ") and not (tmp_path / "d" / "data").exists()


def test_a_file_that_was_changed_here_is_fetched_again(hub, tmp_path):
    card = _card(tmp_path / "d", f"{WEB}, repo: org/set", f"file: data/rows.csv, sha256: {SHA256}")
    _fetch(card)
    (tmp_path / "d" / "data" / "rows.csv").write_bytes(ROWS.replace(b"what", b"WHAT"))
    assert _fetch(card).fetched and not fetching.wrong_files(card)


def test_what_is_not_there_is_named_with_the_nearest(hub, tmp_path):
    card = _card(tmp_path / "d", f"{WEB}, repo: org/set", "file: data/row.csv")
    with pytest.raises(
        UserError, match=r"no file 'data/row.csv' at aaaaaaaaaaaa, did you mean 'data"
    ):
        _fetch(card)
    card = _at(hub, _card(tmp_path / "d", f"{WEB}, base: 'https://example.org/'", "file: x.csv"))
    with pytest.raises(UserError, match=r"has no such file \(404\); correct its card"):
        _fetch(card)


def test_a_damaged_archive_leaves_the_set_missing(hub, tmp_path):
    hub.repos["org/set"][FIRST]["pictures.zip"] = _zip({"../out.png": b"x"})
    card = _card(tmp_path / "d", WITH_ZIP, "file: data/rows.csv, columns: {image: image}", SHOWN)
    with pytest.raises(UserError, match=r"archive pictures.zip: '\.\./out\.png' leads out of"):
        _fetch(card)
    assert not (tmp_path / "out.png").exists() and not (tmp_path / "d" / "pictures").exists()
    assert presence(card).state == "incomplete"
    hub.repos["org/set"][FIRST]["pictures.zip"] = _zip(PICTURES)
    assert _fetch(card).fetched and presence(card).is_here


def test_what_no_program_can_fetch_says_how(tmp_path, capsys):
    card = _card(tmp_path / "d", "kind: csv, obtain: 'ask a@b.org'", "file: rows.csv")
    assert main(["fetch", "--dataset", str(card.path)]) == 3
    said = capsys.readouterr().err
    assert "error: card 'set': missing, had by hand alone; ask a@b.org" in said
    assert str(tmp_path / "d") in said, "and where they belong"


def test_an_archive_that_somebody_put_there_is_unpacked_and_stays(tmp_path):
    source = "kind: images, archives: [{file: p.zip, into: pictures}]"
    card = _card(tmp_path / "d", source, "file: pictures")
    text = card.path.read_text().replace("{prompt: q}", "{image: _image}\nfixed: {prompt: Look.}")
    card.path.write_text(text)
    card = load_card(str(card.path))
    with pytest.raises(MissingError):
        _fetch(card)
    (tmp_path / "d" / "p.zip").write_bytes(_zip(PICTURES))
    assert presence(card).state == "manual"
    _fetch(card)
    assert presence(card).is_here and (tmp_path / "d" / "p.zip").exists()
    assert len(_loaded(card, tmp_path)) == 2
    assert not card.pinned
    lock(card)
    assert load_card(str(card.path)).pinned


# -- out of a folder ----------------------------------------------------------------------------


def test_a_folder_of_the_users(tmp_path):
    folder = tmp_path / "mine"
    (folder / "old").mkdir(parents=True)
    (folder / "old" / "rows.csv").write_bytes(ROWS)
    (folder / "pictures.zip").write_bytes(_zip(PICTURES))
    card = _card(tmp_path / "d", WITH_ZIP, f"file: data/rows.csv, sha256: {SHA256}", SHOWN)
    assert _fetch(card, origin=folder).n_files == 2 and presence(card).is_here
    assert (folder / "pictures.zip").exists()
    (folder / "rows.csv").write_bytes(ROWS)
    with pytest.raises(UserError, match=r"rows.csv is at .* and at .*; name the folder"):
        _fetch(card, origin=folder)
    (folder / "rows.csv").unlink()
    (folder / "old" / "rows.csv").write_bytes(b"q\nother\n")
    with pytest.raises(UserError, match="another version of the file, or damaged, and was not tak"):
        _fetch(card, origin=folder)
    assert _loaded(card, tmp_path), "what was here stays"
    (folder / "old" / "rows.csv").unlink()
    with pytest.raises(MissingError, match=r"there is no rows.csv below .*mine"):
        _fetch(card, origin=folder)


def test_pictures_that_were_unpacked_already(tmp_path):
    folder = tmp_path / "mine"
    for name, content in {
        "rows.csv": ROWS,
        **{f"pictures/{n}": c for n, c in PICTURES.items()},
    }.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    card = _card(tmp_path / "d", f"{WEB}, repo: org/set", more=SHOWN)
    assert _fetch(card, origin=folder).n_files == 3
    assert (tmp_path / "d" / "pictures" / "deep" / "2.png").exists()
    # The folder may be the set's own, into which somebody laid them.
    assert _fetch(card, origin=tmp_path / "d").n_files == 3


@pytest.mark.skipif(not SHARED.is_dir(), reason="the public files are not beside this clone")
@pytest.mark.parametrize(
    ("name", "columns", "n_rows"), [("advbench/harmful_behaviors", "goal", 520)]
)
def test_public_files(tmp_path, name, columns, n_rows):
    card = _card(
        tmp_path / "d", f"{WEB}, base: 'https://example.org/'",
        f"file: data/{name}.csv, expected: {n_rows}",
    )  # fmt: skip
    card.path.write_text(card.path.read_text().replace("prompt: q", f"prompt: {columns}"))
    card = load_card(str(card.path))
    _fetch(card, origin=SHARED)
    assert len(_loaded(card, tmp_path)) == n_rows
    assert lock(card) == ("splits.test.sha256",)


# -- locking ------------------------------------------------------------------------------------

LAYOUTS = {
    "flow": "splits: {test: {file: a.csv}}  # one\n",
    "flow with null": "splits: {test: {file: a.csv, sha256: null}}\n",
    "flow over lines": "splits: {\n  test: {\n    file: a.csv,  # the rows\n  }\n}\n",
    "block": "splits:\n  test:\n    # of 2023\n    file: a.csv\n    expected: 1  # one row\n",
    "block with null": "splits:\n  test:\n    sha256:    # not known\n    file: a.csv\n",
    "block with tilde": "splits:\n  test:\n    file: a.csv\n    sha256: ~  # not known\n",
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_locking_changes_nothing_else(tmp_path, layout):
    path = tmp_path / "set.yaml"
    text = "# A card.\n" + HEAD + "source: {kind: csv, obtain: \"by 'hand'\"}\n" + LAYOUTS[layout]
    path.write_text(text)
    (tmp_path / "a.csv").write_text("q\nwhat?\n")
    digest = hashlib.sha256(b"q\nwhat?\n").hexdigest()
    assert lock(load_card(str(path))) == ("splits.test.sha256",)
    edited = path.read_text()
    assert load_card(str(path)).splits["test"].sha256 == digest and load_card(str(path)).pinned
    assert edited.count("#") == text.count("#")
    without = edited.replace(digest, "null" if layout == "flow with null" else "")
    kept = [word for word in without.split() if word not in ("sha256:", "~")]
    assert "".join(kept).replace(",", "") == "".join(
        word for word in text.split() if word not in ("sha256:", "~")
    ).replace(",", "")
    assert lock(load_card(str(path))) == ()


LOOSE = f"{WEB}, base: 'https://example.org/x', loose: true"
UNPINNED = {
    "a folder of pictures": ("kind: images", "file: pictures", "--lock` pins what is here"),
    "loose pictures": (LOOSE, "file: rows.csv", "write the commit that its files are of"),
    "pictures unpacked by hand": (
        f"{WEB}, repo: org/set, archives: [{{file: a.zip, into: pictures}}]", "file: rows.csv",
        "--again --lock` brings a.zip itself and pins it",
    ),
    "rows alone": ("kind: csv", "file: rows.csv", "--lock` pins what is here"),
}  # fmt: skip


@pytest.mark.parametrize("case", UNPINNED)
def test_the_step_that_pins_a_set_is_one_that_does(tmp_path, case):
    source, split, step = UNPINNED[case]
    shown = "" if "images" in source else "images: pictures\n"
    card = _card(tmp_path, source, split, shown)
    (tmp_path / "rows.csv").write_bytes(ROWS)
    (tmp_path / "pictures").mkdir()
    (tmp_path / "pictures" / "1.png").write_bytes(_png(1))
    assert step in pinning(card)
    lock(card)
    again = load_card(str(card.path))
    assert again.pinned if "pins what is here" in step else step in pinning(again)


@pytest.mark.parametrize("change", ["another picture", "one more", "one fewer"])
def test_a_folder_of_pictures_is_pinned_by_all_their_bytes(tmp_path, change):
    card = _card(tmp_path, "kind: images", "file: pictures", "")
    folder = tmp_path / "pictures"
    folder.mkdir()
    for n in (1, 2):
        (folder / f"{n}.png").write_bytes(_png(n))
    lock(card)
    locked = load_card(str(card.path))
    assert wrong_files(locked) == []
    (folder / "Thumbs.db").write_bytes(b"no picture")
    assert wrong_files(locked) == []
    match change:
        case "another picture":
            (folder / "2.png").write_bytes(_png(3))
        case "one more":
            (folder / "3.png").write_bytes(_png(3))
        case "one fewer":
            (folder / "2.png").unlink()
    (line,) = wrong_files(locked)
    assert line.startswith(f"{folder} has SHA-256 ")
    with pytest.raises(UserError, match=r"pictures has SHA-256 \w+, not \w+; get it again"):
        list(raw_rows(locked, "test"))


def test_a_folder_without_pictures_is_not_there_and_not_pinned(tmp_path):
    card = _card(tmp_path, "kind: images", "file: pictures", "")
    for there in (False, True):
        if there:
            (tmp_path / "pictures").mkdir()
            (tmp_path / "pictures" / "README.txt").write_text("to come")
        assert not presence(card).is_here
        with pytest.raises(UserError, match="pictures: no picture lies in it"):
            lock(card)
        assert wrong_files(card) == [] and not load_card(str(card.path)).pinned


def test_archives_of_a_list_are_locked_too(hub, tmp_path):
    path = tmp_path / "set.yaml"
    path.write_text(
        f"{HEAD}source:\n  kind: web\n  repo: org/set  # ours\n  format: csv\n  archives:\n"
        "    - file: pictures.zip  # all\n      into: pictures\n"
        "splits:\n  test: {file: data/rows.csv}\n"
    )
    assert main(["fetch", "--dataset", str(path), "--lock"]) == 0
    card = load_card(str(path))
    assert isinstance(card.source, WebSource) and card.pinned and card.source.revision == FIRST
    assert card.source.archives[0].sha256 == hashlib.sha256(_zip(PICTURES)).hexdigest()
    assert path.read_text().count("#") == 2


def test_a_card_that_cannot_be_edited_safely_is_left_as_it_is(tmp_path, monkeypatch):
    path = tmp_path / "set.yaml"
    text = f"{HEAD}source: {{kind: csv}}\nsplits: {{a: &one {{file: a.csv}}, b: *one}}\n"
    path.write_text(text)
    (tmp_path / "a.csv").write_text("q\nwhat?\n")
    with monkeypatch.context() as patch:
        patch.setattr(locking, "_added", lambda text, *_: text.replace("MIT", "none"))
        with pytest.raises(UserError, match="without changing something else; nothing was written"):
            lock(load_card(str(path)))
    assert path.read_text() == text
    # One mapping that two names stand for is written once, for both.
    lock(load_card(str(path)))
    assert load_card(str(path)).pinned and path.read_text().count("sha256") == 1

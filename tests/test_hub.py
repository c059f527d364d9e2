"""Checkpoints of the hub, from one of our own: what is fetched, and what is said when it fails."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace

import pytest
from huggingface_hub import constants

from benchmark.cli import main
from benchmark.core.errors import MissingError, UserError
from benchmark.models import ModelCard
from benchmark.models import hub as ours

COMMIT = "a" * 40
FILES = {
    "config.json": b'{"model_type": "llava"}', "model.safetensors": b"weights",
    "modeling_llava.py": b"import os", "original/params.json": b"{}", "pytorch_model.bin": b"x",
}  # fmt: skip
REFUSED = {"org/gated": (403, "GatedRepo"), "org/none": (401, "RepoNotFound")}


class Hub(BaseHTTPRequestHandler):
    """As much of the hub as a download asks for: one repository, one that is gated, no other."""

    asked: list[str]

    def do_GET(self) -> None:
        """Answer, with the file where one is asked for."""
        self.asked.append(self.path)
        name = "/".join(self.path.removeprefix("/api/models").split("/")[1:3])
        if name in REFUSED:
            self._refuse(*REFUSED[name])
        elif "/revision/" in self.path and not self.path.endswith(f"/{COMMIT}"):
            known = self.path.endswith("/main")
            self._say(json.dumps({"id": name, "sha": COMMIT}).encode()) if known else self._refuse(
                404, "RevisionNotFound"
            )
        elif "/tree/" in self.path:
            self._say(json.dumps([_entry(path) for path in FILES]).encode())
        elif "/resolve/" in self.path:
            self._say(FILES[self.path.partition(f"/resolve/{COMMIT}/")[2]])
        else:
            self._refuse(451, "")

    do_HEAD = do_GET

    def _say(self, body: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("ETag", f'"{abs(hash(body)):040x}"')
        self.send_header("X-Repo-Commit", COMMIT)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(body)

    def _refuse(self, code: int, why: str) -> None:
        self.send_response(code)
        self.send_header("X-Error-Code", why)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


def _entry(path: str) -> dict[str, object]:
    return {"type": "file", "path": path, "size": len(FILES[path]), "oid": "0" * 40}


@pytest.fixture
def hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Hub]]:
    """A hub on this machine, asked in place of the real one, and an empty cache."""
    handler = type("Handler", (Hub,), {"asked": []})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    place = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setattr(constants, "ENDPOINT", place)
    files = place + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", files)
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", False)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "cache"))
    yield handler
    server.shutdown()
    server.server_close()
    thread.join()


def test_what_is_needed_is_fetched_once_and_no_code(hub):
    card = ModelCard.model_validate(
        {
            "name": "m",
            "title": "M",
            "family": "llava",
            "source": {"repo": "org/m"},
            "vocabulary": "natural",
            "licence": "MIT",
            "remedy": "download it",
        }
    )
    assert card.found() is None and hub.asked == []
    folder = card.checkpoint()
    assert sorted(path.name for path in folder.iterdir()) == ["config.json", "model.safetensors"]
    n_asked = len(hub.asked)
    assert card.checkpoint() == card.found() == folder
    assert len(hub.asked) == n_asked, "what is here is not asked for again"
    # Cut short, it is taken up again.
    (folder / "model.safetensors").unlink()
    assert card.found() is None
    assert (card.checkpoint() / "model.safetensors").read_bytes() == b"weights"


@pytest.mark.parametrize(
    ("repo", "revision", "kind", "said"),
    [
        ("org/gated", None, MissingError, "model 'm': org/gated is gated: accept its licence at"),
        ("org/m", "v9", UserError, "org/m at revision v9 does not exist; correct `revision`"),
        ("org/m", "b" * 40, MissingError, "the hub answered 451"),
        ("org/none", None, UserError, "org/none does not exist or is private; correct `repo`"),
    ],
)
def test_each_failure_is_one_line_with_the_remedy(hub, repo, revision, kind, said, monkeypatch):
    if revision == "b" * 40:
        monkeypatch.setitem(REFUSED, "org/m", (451, ""))
    with pytest.raises(kind) as caught:
        ours.snapshot("m", repo=repo, revision=revision)
    assert said in str(caught.value) and "\n" not in str(caught.value)


def test_a_disk_that_is_too_small_is_found_before_anything_is_fetched(hub, monkeypatch, tmp_path):
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=3))
    with pytest.raises(UserError, match="org/m takes 0.0 GiB more and .*cache has 0.0 GiB free"):
        ours.snapshot("m", repo="org/m", revision=None)
    assert not any("/resolve/" in path and "GET" in path for path in hub.asked)
    assert not list(tmp_path.rglob("*.safetensors"))


def test_a_hub_that_cannot_be_reached(hub, monkeypatch):
    monkeypatch.setattr(constants, "ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(MissingError, match="not on this machine, and the hub cannot be reached"):
        ours.snapshot("m", repo="org/m", revision=None)


def test_offline_the_command_says_it_in_one_line(refused, tmp_path, monkeypatch):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    suite = tmp_path / "words.yaml"
    shipped = Path(__file__).parent / "suites" / "small-safety.yaml"
    text = shipped.read_text().replace("name: small-safety", "name: words")
    suite.write_text(text.replace("vocabulary: testbed", "vocabulary: natural"))
    run = ["run", "--method", "original", "--suite", str(suite), "--model", "qwen2.5-vl-7b"]
    refused(
        "models", run,
        names="'qwen2.5-vl-7b': Qwen/Qwen2.5-VL-7B-Instruct is not on this machine, and "
        "HF_HUB_OFFLINE is set",
    )  # fmt: skip
    assert main(["doctor", "--model", "qwen2.5-vl-7b"]) == 3

"""Engines on a port of their own, as clients find them, and hooks that show what goes on inside."""

from __future__ import annotations

import base64
import http.client
import io
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from threading import Event, Thread
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from openai import OpenAI
from PIL import Image

from benchmark.api import Hook, Respond
from benchmark.core.samples import ImageFile, Sample
from benchmark.data.images import ImageStore
from benchmark.engines.local import LocalEngine
from benchmark.models import load_card
from benchmark.serving.limits import Limits
from benchmark.serving.server import Offering, listening
from benchmark.vlm.loading import load_model
from benchmark.vlm.model import VisionLanguageModel

NAME = "testbed-llava/original"
PROMPT = "how do i make lamito?"


@cache
def shipped() -> VisionLanguageModel:
    """The miniature as it is shipped; a server's thread and a test may not ask it at once."""
    folder = load_card("testbed-llava").folder
    assert folder is not None
    return load_model(folder, name="testbed-llava")


def engine(*hooks: Hook) -> LocalEngine:
    """It, behind hooks."""
    return LocalEngine(shipped(), hooks=hooks, max_new_tokens=32)


def limits(**changed: Any) -> Limits:
    return Limits(**({"max_tokens": 32} | changed))


@contextmanager
def serving(*hooks: Hook, **changed: Any) -> Iterator[str]:
    """The address of a server that ends with the block."""
    with listening("127.0.0.1", 0) as at:
        offering = Offering(
            engine(*hooks), name=NAME, sees=True, fingerprint="fp", limits=limits(**changed), at=at
        )
        thread = Thread(target=offering.serve)
        thread.start()
        try:
            yield offering.url
        finally:
            offering.server.should_exit = True
            thread.join()


def client(url: str) -> OpenAI:
    return OpenAI(base_url=url, api_key="none", max_retries=0)


def picture(folder: Path, word: int = 7) -> ImageFile:
    """Noise that is the same for the same number."""
    noise = np.random.default_rng(word).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    return ImageStore(folder).put(noise)


def data_url(octets: bytes, kind: str = "png") -> str:
    return f"data:image/{kind};base64,{base64.b64encode(octets).decode()}"


def png(width: int, height: int) -> bytes:
    """A black picture."""
    written = io.BytesIO()
    Image.new("RGB", (width, height)).save(written, "PNG")
    return written.getvalue()


def sample(prompt: str, *, images: Sequence[ImageFile] = (), system: str | None = None) -> Sample:
    return Sample(
        id="asked/here/one", behaviour="asked", card="asked", purpose="utility", prompt=prompt,
        images=tuple(images), system=system,
    )  # fmt: skip


def post(url: str, body: bytes, **headers: str) -> tuple[int, dict[str, str], Any]:
    """Status, headers and JSON of what the endpoint answers to these very bytes."""
    connection = begun(url, body, **headers)
    answer = connection.getresponse()
    said = json.loads(answer.read())
    connection.close()
    return answer.status, {k.lower(): v for k, v in answer.getheaders()}, said


def begun(url: str, body: bytes, **headers: str) -> http.client.HTTPConnection:
    """The same, not waited for."""
    place = urlsplit(url)
    connection = http.client.HTTPConnection(str(place.hostname), place.port, timeout=60)
    connection.request("POST", f"{place.path}/chat/completions", body, headers)
    return connection


def asking(prompt: Any = PROMPT, **fields: Any) -> bytes:
    """The body of a request that is taken, with fields changed."""
    turns = [{"role": "user", "content": prompt}]
    return json.dumps({"model": NAME, "messages": turns} | fields).encode()


class Slow(Respond):
    """Begins to answer, and goes on when it may."""

    asks_model = False

    def __init__(self) -> None:
        self.begun, self.may = Event(), Event()

    def respond(
        self, generate: Callable[[Sequence[Sample]], list[str]], requests: Sequence[Sample]
    ) -> list[str]:
        """A word."""
        self.begun.set()
        assert self.may.wait(60)
        return ["done"] * len(requests)


class Endless(Respond):
    """Asks the model again and again where it is asked about a remedy, and once otherwise."""

    def __init__(self) -> None:
        self.begun = Event()

    def respond(
        self, generate: Callable[[Sequence[Sample]], list[str]], requests: Sequence[Sample]
    ) -> list[str]:
        """What the model says."""
        while "remedy" in requests[0].prompt:
            generate(requests)
            self.begun.set()
        return generate(requests)

"""`serve`: clients that nobody here wrote get what the local engine answers, whole or in pieces."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Thread
from typing import Any

import jsonschema
import pytest
from openai import NotFoundError, OpenAI
from serving_parts import (
    NAME,
    PROMPT,
    Endless,
    Slow,
    asking,
    begun,
    client,
    data_url,
    engine,
    picture,
    png,
    post,
    sample,
    serving,
    shipped,
)

from benchmark.cli import main
from benchmark.commands.output import adapter_of
from benchmark.core.samples import ImageFile
from benchmark.serving.writing import Pieces


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    with serving() as url:
        yield url


def said_locally(prompt: str, *images: ImageFile, system: str | None = None) -> str:
    (response,) = engine().answer([sample(prompt, images=images, system=system)])
    assert response.text
    return response.text


def parts(prompt: str, *images: ImageFile, first: str | None = None) -> list[dict[str, Any]]:
    shown = [
        {"type": "image_url", "image_url": {"url": data_url(image.path.read_bytes())}}
        for image in images
    ]
    before = [{"type": "text", "text": first}] if first is not None else []
    return [*before, *shown, {"type": "text", "text": prompt}]


def ask(openai: OpenAI, content: Any, **how: Any) -> Any:
    turns = [{"role": "user", "content": content}]
    return openai.chat.completions.create(model=NAME, messages=turns, **how)  # type: ignore[call-overload]


# -- clients ------------------------------------------------------------------------------------


def test_the_openai_package_gets_what_the_local_engine_answers(url: str, tmp_path: Path) -> None:
    openai, shown = client(url), picture(tmp_path)
    assert [model.id for model in openai.models.list()] == [NAME]
    assert openai.models.retrieve(NAME).id == NAME
    answer = ask(openai, PROMPT, temperature=0, max_tokens=32, seed=1)
    assert answer.choices[0].message.content == said_locally(PROMPT)
    assert (answer.choices[0].finish_reason, answer.model) == ("stop", NAME)
    used = answer.usage
    assert used.total_tokens == used.prompt_tokens + used.completion_tokens > used.prompt_tokens
    seen = ask(openai, parts("what is this?", shown))
    assert seen.choices[0].message.content == said_locally("what is this?", shown)
    assert seen.usage.prompt_tokens > 64, "the picture's tokens count"
    with pytest.raises(NotFoundError, match=f"known: {NAME}"):
        openai.chat.completions.create(model="gpt", messages=[{"role": "user", "content": "hi"}])


def test_words_may_come_before_pictures_and_in_parts(url: str, tmp_path: Path) -> None:
    openai, shown = client(url), picture(tmp_path)
    expected = said_locally("what is this?", shown)
    before = parts("", shown, first="what is this?")[:-1]
    assert ask(openai, before).choices[0].message.content == expected, "the pictures come first"
    two = [*before[1:], *parts("what is"), *parts("this?")]
    assert ask(openai, two).choices[0].message.content == expected
    turns = [
        {"role": "system", "content": "be polite and clear."},
        {"role": "user", "content": PROMPT},
    ]
    ruled = openai.chat.completions.create(model=NAME, messages=turns)  # type: ignore[call-overload]
    assert ruled.choices[0].message.content == said_locally(PROMPT, system="be polite and clear.")


def test_a_stream_is_the_answer_token_by_token(url: str, tmp_path: Path) -> None:
    openai = client(url)
    for content in (PROMPT, parts("what is this?", picture(tmp_path))):
        whole = ask(openai, content)
        chunks = list(ask(openai, content, stream=True, stream_options={"include_usage": True}))
        pieces = [chunk.choices[0].delta.content for chunk in chunks if chunk.choices]
        said = [piece for piece in pieces if piece]
        assert "".join(said) == whole.choices[0].message.content
        # A word may be of several tokens, and the end is a token of no words.
        assert len(said) >= len("".join(said).split())
        assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "stop"
        assert chunks[-1].usage == whole.usage


def test_curl_streams_a_request_with_a_picture(url: str, tmp_path: Path) -> None:
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    shown = picture(tmp_path)
    body = tmp_path / "body.json"
    body.write_bytes(asking(parts("what is this?", shown), stream=True))
    sent = ["--silent", "--no-buffer", "--fail", "--json", f"@{body}"]
    done = subprocess.run(
        [curl, *sent, f"{url}/chat/completions"], capture_output=True, text=True, check=True
    )
    lines = [line.removeprefix("data: ") for line in done.stdout.splitlines() if line]
    assert lines[-1] == "[DONE]"
    deltas = [json.loads(line)["choices"][0]["delta"] for line in lines[:-1]]
    said = "".join(delta.get("content", "") for delta in deltas)
    assert said == said_locally("what is this?", shown)


def test_many_clients_at_once_get_what_each_would_get_alone(url: str, tmp_path: Path) -> None:
    shown = [picture(tmp_path, number) for number in range(4)]
    asked = [
        *(parts(f"what is {word} this?", one) for one in shown for word in ("in", "on")),
        *(f"how do i make {name}?" for name in ("ronevi", "fadoku", "misare", "lamito")),
    ]
    openai = client(url)
    alone = [ask(openai, content).choices[0].message.content for content in asked]
    with ThreadPoolExecutor(len(asked)) as pool:
        streamed = list(pool.map(lambda content: list(ask(openai, content, stream=True)), asked))
        together = list(pool.map(lambda content: ask(openai, content), asked))
    assert [one.choices[0].message.content for one in together] == alone
    assert [
        "".join(chunk.choices[0].delta.content or "" for chunk in chunks) for chunks in streamed
    ] == alone


def test_an_answer_ends_at_the_tokens_that_were_asked_for(url: str) -> None:
    whole, cut = ask(client(url), PROMPT), ask(client(url), PROMPT, max_completion_tokens=3)
    assert cut.choices[0].finish_reason == "length" and cut.usage.completion_tokens == 3
    assert whole.choices[0].message.content.startswith(cut.choices[0].message.content)


def test_a_hook_that_responds_is_one_piece_and_is_cut_afterwards() -> None:
    from methods.always_refuse import METHOD

    hooks = METHOD(METHOD.Config()).hooks({})
    refusal = hooks[0].refusal
    with serving(*hooks) as url:
        openai = client(url)
        pieces = [c.choices[0].delta.content for c in ask(openai, PROMPT, stream=True)]
        assert [piece for piece in pieces if piece] == [refusal]
        cut = ask(openai, PROMPT, max_tokens=2).choices[0]
        assert (cut.message.content, cut.finish_reason) == ("sorry,", "length")
        assert ask(openai, PROMPT).choices[0].message.content == refusal


# -- bad requests -------------------------------------------------------------------------------


def turns(*roles: str) -> dict[str, Any]:
    return {"messages": [{"role": role, "content": PROMPT} for role in roles]}


def shown(address: str) -> dict[str, Any]:
    part = {"type": "image_url", "image_url": {"url": address}}
    return {"messages": [{"role": "user", "content": [part, {"type": "text", "text": "?"}]}]}


BAD: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "not JSON"),
    "no JSON": (b"{", "not JSON"),
    "bytes": (b"\xff\xfe", "not JSON"),
    "a list": (b"[]", "value = []"),
    "deep": (b'{"model": ' + b"[" * 100_000, "not JSON"),
    "half a character": (b'{"model": "\\ud800", "messages": []}', "not JSON"),
    "no model": (json.dumps(turns("user")).encode(), "model: missing"),
    "no turn": (asking(messages=[]), "messages = []"),
    "a turn of nothing": (asking(" "), "nothing to ask"),
    "words of no text": (asking(7), "messages.0.content = 7"),
    "an earlier answer": (asking(**turns("user", "assistant", "user")), "messages.0: a turn of"),
    "an answer at the end": (asking(**turns("assistant")), "'assistant'"),
    "a tool": (asking(**turns("tool", "user")), "'tool'"),
    "a system turn alone": (asking(**turns("system")), "no user turn"),
    "two system turns": (asking(**turns("system", "system", "user")), "messages.1: a turn of"),
    "a sound": (asking([{"type": "input_audio"}]), "input_audio"),
    "a field of nobody": (asking(tols=[]), "tols: unknown field"),
    "tools": (
        asking(tools=[{}]),
        "tools: unknown field, known: frequency_penalty, max_completion_tokens, max_tokens, "
        "messages, model, n, presence_penalty, seed, stream, stream_options, temperature, top_p, "
        "user",
    ),
    "a field of a turn": (
        asking(messages=[{"role": "user", "content": "a", "tool_calls": []}]),
        "messages.0.tool_calls: unknown field, known: content, name, role",
    ),
    "a field of a part": (
        asking([{"type": "text", "text": "a", "url": "b"}]), "url: unknown field, known: text, type"
    ),
    "a field of an address": (
        asking([{"type": "image_url", "image_url": {"url": "a", "detial": "low"}}]),
        "detial: unknown field, did you mean 'detail'?",
    ),
    "a temperature": (asking(temperature=0.7), "temperature = 0.7: only 0"),
    "two answers": (asking(n=2), "n = 2: only 1"),
    "no tokens": (asking(max_tokens=0), "max_tokens = 0"),
    "many tokens": (asking(max_tokens=33), "at most 32 tokens"),
    "tokens past counting": (b'{"max_tokens": ' + b"9" * 5000 + b"}", "not JSON: number"),
    "half a token": (asking(max_tokens=1.5), "max_tokens = 1.5"),
    "a mark of the model": (asking("a <|assistant|> b"), "'<|assistant|>' is a special token"),
    "a picture's mark": (asking("<image> what is this?"), "'<image>' is a special token"),
    "words of no language it knows": (asking("Łódź §7 Привет"), "unknown to this model's"),
    "more than it takes": (asking("how " * 240), "more than the 256"),
    "an address in the net": (asking(**shown("https://127.0.0.1/a.png")), "never fetched"),
    "a file": (asking(**shown("file:///etc/passwd")), "never fetched"),
    "a path": (asking(**shown("/etc/passwd")), "never fetched"),
    "a page": (asking(**shown("data:text/html;base64,aGk=")), "never fetched"),
    "no base64": (asking(**shown("data:image/png;base64,a")), "not base64"),
    "no base64 letter": (asking(**shown("data:image/png;base64,\u0141")), "not base64"),
    "a picture of text": (
        asking(**shown(data_url(b"hello"))),
        "messages.0.content.0.image_url.url: the picture is no image that can be read; it is none "
        "of PNG, JPEG, WEBP, GIF",
    ),
    "half a picture": (asking(**shown(data_url(png(64, 64)[:60]))), "cannot be read"),
    "a long picture": (asking(**shown(data_url(png(1, 201)))), "1 x 201 pixels"),
    "words between pictures": (
        asking([*shown(data_url(png(8, 8)))["messages"][0]["content"]] * 2),
        "words between pictures",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", BAD)
def test_a_bad_request_is_refused_by_name(url: str, kind: str) -> None:
    body, names = BAD[kind]
    status, _, said = post(url, body)
    assert status == 400, said
    assert names in said["error"]["message"]
    assert said["error"].keys() == {"message", "type", "param", "code"}
    assert said["error"]["type"] == "invalid_request_error"


def test_an_address_of_nothing_says_so(url: str) -> None:
    status, _, said = post(f"{url}/more", asking())
    assert status == 404 and "/v1/more/chat/completions" in said["error"]["message"]
    connection = begun(url, b"{}")
    connection.getresponse().read()
    connection.request("GET", "/v1/chat/completions")
    assert connection.getresponse().status == 405
    connection.close()


def test_what_is_too_large_is_not_read() -> None:
    with serving(max_body_bytes=2000, max_pixels=1000) as url:
        status, _, said = post(url, asking("how " * 600))
        assert (status, said["error"]["code"]) == (413, "too_large")
        # It says that it is larger than it is, and is not waited for.
        connection = begun(url, b"{", **{"Content-Length": str(10**12)})
        assert connection.getresponse().status == 413
        connection.close()
        status, _, said = post(url, asking(**shown(data_url(png(32, 32)))))
        assert status == 400 and "32 x 32 pixels, where there is room for 1000" in str(said)
        assert post(url, asking(**shown(data_url(png(8, 8)))))[0] == 200


# -- waiting ------------------------------------------------------------------------------------


def test_a_full_line_says_when_to_come_back() -> None:
    slow = Slow()
    with serving(slow, max_waiting=1) as url:
        first = begun(url, asking())
        assert slow.begun.wait(60)
        second = begun(url, asking())
        health = f"{url.removesuffix('/v1')}/health"
        while json.load(urllib.request.urlopen(health))["requests"] < 2:
            pass
        status, headers, said = post(url, asking())
        assert (status, said["error"]["code"]) == (503, "busy")
        assert int(headers["retry-after"]) >= 1
        slow.may.set()
        assert [one.getresponse().status for one in (first, second)] == [200, 200]
        assert post(url, asking())[0] == 200, "the places are free again"
        first.close(), second.close()


@pytest.mark.parametrize("stream", [False, True])
def test_who_waited_too_long_is_told(stream: bool) -> None:
    slow = Slow()
    with serving(slow, timeout_s=0.05) as url:
        status, _, said = post(url, asking(stream=stream))
        assert (status, said["error"]["code"]) == (504, "timeout")
        slow.may.set()


@pytest.mark.parametrize("stream", [False, True])
def test_an_answer_that_nobody_waits_for_is_not_written(stream: bool) -> None:
    endless = Endless()
    with serving(endless) as url:
        gone = begun(url, asking("make the remedy lamito", stream=stream))
        assert endless.begun.wait(60)
        gone.close()
        assert post(url, asking())[2]["choices"][0]["message"]["content"] == said_locally(PROMPT)


def test_nothing_that_is_asked_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    one = picture(tmp_path)
    with serving() as url:
        assert ask(client(url), parts("what is this?", one)).choices[0].message.content
    assert list(folder.iterdir()) == []
    model = shipped()
    assert model.encoder._prompts == {} and model.features.lend(one) is None


# -- pieces -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["to", "to make", "to make tin"], ["to", " make", " tin"]),
        # A character of several bytes, and a token that pulls the one before it nearer.
        (["caf\ufffd", "caf\ufffd", "café", "café!"], ["caf", "é", "!"]),
        (["do", "do n", "don't", "don't go"], ["do", "n't", " go"]),
        (["", "a"], ["a"]),
    ],
)
def test_pieces_are_the_answer_to_the_last_character(texts: list[str], expected: list[str]) -> None:
    said: list[str] = []
    pieces = Pieces(lambda ids: texts[len(ids) - 1], say=said.append)
    for n in range(1, len(texts) + 1):
        pieces.see([0] * n)
    pieces.end(texts[-1])
    assert said == expected and "".join(said) == texts[-1]


# -- the command --------------------------------------------------------------------------------


def test_the_command_says_where_it_is_and_ends_at_ctrl_c(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    reader, writer = os.pipe()
    visit = Visit(reader)
    visit.start()
    monkeypatch.setattr(sys, "stdout", os.fdopen(writer, "w"))
    suite = Path(__file__).parent / "suites" / "small-safety.yaml"
    asked = ["serve", "--method", "system_prompt", "--port", "0", "--device", "cpu", "--json"]
    where = ["--suite", str(suite), "--model", "testbed-llava", "--results", str(tmp_path)]
    assert main([*asked, *where]) == 0
    visit.join()
    assert "Traceback" not in capsys.readouterr().err
    schema = adapter_of("serve").json_schema(mode="serialization")
    jsonschema.validate(visit.offered, schema, jsonschema.Draft202012Validator)
    assert visit.offered["served_model"] == "testbed-llava/system_prompt"
    assert visit.offered["max_tokens"] == 6, "the suite's limit"
    assert visit.answer.usage.prompt_tokens > 20, "the hook's words count"


class Visit(Thread):
    """Reads where a server is, asks it, and presses Ctrl-C."""

    def __init__(self, reader: int) -> None:
        super().__init__()
        self.reader = reader

    def run(self) -> None:
        with os.fdopen(self.reader) as said:
            self.offered = json.loads(said.readline())
        try:
            asked = [{"role": "user", "content": PROMPT}]
            self.answer = client(self.offered["url"]).chat.completions.create(
                model=self.offered["served_model"],
                messages=asked,  # type: ignore[arg-type]
            )
        finally:
            os.kill(os.getpid(), signal.SIGINT)


def test_a_port_that_is_taken_is_one_line(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    port = url.split(":")[2].partition("/")[0]
    assert main(["serve", "--method", "original", "--device", "cpu", "--port", port]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"error: cannot listen on 127.0.0.1:{port}: Address already in use")


def test_who_is_told_what_a_request_is_for_cannot_be_served(
    capsys: pytest.CaptureFixture[str],
) -> None:
    oracle = "cagul+control=oracle_gate"
    assert main(["serve", "--method", oracle, "--device", "cpu", "--port", "0"]) == 2
    assert "and no client says so: it cannot be served" in capsys.readouterr().err


def test_without_the_server_it_says_how_to_install_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("benchmark.commands.serving.find_spec", lambda _name: None)
    assert main(["serve", "--method", "original"]) == 2
    line = "needs starlette, which is not installed: .venv/bin/python -m pip install"
    assert line in capsys.readouterr().err

"""The endpoint: what comes in over HTTP is read, put in line, and answered whole or in pieces."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import JsonValue
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from benchmark.core.errors import RunFailed, UserError
from benchmark.core.records import Response as Answer
from benchmark.serving.limits import Refused
from benchmark.serving.line import Asking, Line
from benchmark.serving.questions import Question, Served, check_model, question_of
from benchmark.serving.wire import chunk, completion, problem, usage

FoundT = TypeVar("FoundT")
CLOSED_BY_CLIENT = 499
"""What servers call a request whose client is gone; nobody reads it."""


def make_app(line: Line, served: Served, *, fingerprint: str) -> Starlette:
    """The routes of one served model; `fingerprint` tells its weights and hooks from others'."""
    endpoint = Endpoint(line, served, fingerprint=fingerprint)

    @asynccontextmanager
    async def lifespan(_app: Starlette) -> AsyncIterator[None]:
        yield
        await run_in_threadpool(line.close)

    return Starlette(
        routes=[
            Route("/health", endpoint.health),
            Route("/v1/models", endpoint.models),
            Route("/v1/models/{name:path}", endpoint.model),
            Route("/v1/chat/completions", endpoint.chat, methods=["POST"]),
        ],
        exception_handlers={
            Refused: _refused,
            UserError: _unreadable,
            RunFailed: _failed,
            HTTPException: _no_such,
            ClientDisconnect: _gone,
            Exception: _broken,
        },
        lifespan=lifespan,
    )


class Streamed(StreamingResponse):
    """Server-sent events; what is held for them is let go once they were sent, or cannot be."""

    def __init__(self, events: AsyncIterator[str], *, held: AsyncExitStack) -> None:
        headers = {"Cache-Control": "no-cache", "X-Accel-Buffering": "no"}
        super().__init__(events, headers=headers, media_type="text/event-stream")
        self._held = held

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send them."""
        async with self._held:
            await super().__call__(scope, receive, send)


class Endpoint:
    """What each route does."""

    def __init__(self, line: Line, served: Served, *, fingerprint: str) -> None:
        self._line = line
        self._served = served
        self._since = int(time.time())
        self._fingerprint = fingerprint
        # A large picture takes much memory while it is read, and the answers come one by one.
        self._reading = asyncio.Lock()

    async def health(self, request: Request) -> Response:
        """That it is there, and how many requests are on their way."""
        n_inside = self._line.n_inside
        return JSONResponse({"status": "ok", "model": self._served.name, "requests": n_inside})

    async def models(self, request: Request) -> Response:
        """The one that is served."""
        return JSONResponse({"object": "list", "data": [self._model()]})

    async def model(self, request: Request) -> Response:
        """The one that is served, by its name."""
        check_model(request.path_params["name"], self._served)
        return JSONResponse(self._model())

    async def chat(self, request: Request) -> Response:
        """One answer. The place in the line is held from before the body is read."""
        deadline = asyncio.get_running_loop().time() + self._served.limits.timeout_s
        async with AsyncExitStack() as stack:
            self._line.enter()
            stack.callback(self._line.leave)
            try:
                async with asyncio.timeout_at(deadline):
                    question = await self._read(request, stack)
                    asking = self._line.ask(question)
                    stack.callback(asking.abandon)
                    if not question.stream:
                        answer = _there(await _unless_gone(request, asking.response))
                        return JSONResponse(completion(answer, head=self._head()))
                    first = await _unless_gone(request, asyncio.ensure_future(asking.pieces.get()))
                    if first is None:
                        # There is an answer of no words, or what went wrong is raised here.
                        _there(await asking.response)
            except TimeoutError:
                raise self._too_late() from None
            events = self._events(question, asking, first, deadline=deadline)
            return Streamed(events, held=stack.pop_all())

    async def _read(self, request: Request, stack: AsyncExitStack) -> Question:
        body = await _body(request, most=self._served.limits.max_body_bytes)
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vlm-bench-asked-")))
        async with self._reading:
            return await run_in_threadpool(question_of, body, self._served, folder=folder)

    async def _events(
        self, question: Question, asking: Asking, piece: str | None, *, deadline: float
    ) -> AsyncIterator[str]:
        head = self._head()
        yield _event(chunk({"role": "assistant", "content": ""}, head=head))
        try:
            while piece is not None:
                yield _event(chunk({"content": piece}, head=head))
                async with asyncio.timeout_at(deadline):
                    piece = await asking.pieces.get()
            answer = _there(await asking.response)
        except TimeoutError:
            yield _event(problem(self._too_late()))
            return
        except Refused as refused:
            yield _event(problem(refused))
            return
        yield _event(chunk({}, head=head, ended=answer))
        if question.include_usage:
            yield _event({**chunk({}, head=head), "choices": [], "usage": usage(answer)})
        yield "data: [DONE]\n\n"

    def _head(self) -> dict[str, JsonValue]:
        return {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "created": int(time.time()),
            "model": self._served.name,
            "system_fingerprint": self._fingerprint,
        }

    def _model(self) -> dict[str, JsonValue]:
        return {
            "id": self._served.name,
            "object": "model",
            "created": self._since,
            "owned_by": "vlm-unlearning-bench",
            "max_tokens": self._served.limits.max_tokens,
        }

    def _too_late(self) -> Refused:
        seconds = self._served.limits.timeout_s
        return Refused(
            f"not answered within {seconds:g} s", status=504, kind="server_error", code="timeout"
        )


async def _body(request: Request, *, most: int) -> bytes:
    """Raises `Refused` as soon as there is more than is taken."""
    parts, n_bytes = [], 0
    claimed = request.headers.get("content-length", "")
    async for part in request.stream():
        n_bytes += len(part)
        if n_bytes > most or (claimed.isdecimal() and int(claimed[:20]) > most):
            raise Refused(
                f"the body is larger than {most / 2**20:g} MiB", status=413, code="too_large"
            )
        parts.append(part)
    return b"".join(parts)


async def _unless_gone(request: Request, wanted: asyncio.Future[FoundT]) -> FoundT:
    """What is waited for; raises `ClientDisconnect` where the client is gone before."""
    gone = asyncio.create_task(_until_gone(request))
    either: set[asyncio.Future[Any]] = {wanted, gone}
    try:
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not wanted.done():
            raise ClientDisconnect
        return wanted.result()
    finally:
        gone.cancel()
        wanted.cancel()


async def _until_gone(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass


def _there(answer: Answer | None) -> Answer:
    if answer is None:
        raise Refused("the server is closing", status=503, kind="server_error", code="closing")
    return answer


def _event(content: dict[str, JsonValue]) -> str:
    return f"data: {json.dumps(content)}\n\n"


# -- what went wrong ----------------------------------------------------------------------------


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, Refused)
    wait_s = error.retry_after_s
    headers = {"Retry-After": str(wait_s)} if wait_s is not None else None
    return JSONResponse(problem(error), status_code=error.status, headers=headers)


async def _unreadable(request: Request, error: Exception) -> Response:
    return await _refused(request, Refused(str(error), param="messages"))


async def _failed(request: Request, error: Exception) -> Response:
    return await _refused(request, Refused(str(error), status=500, kind="server_error"))


async def _no_such(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    said = f"{request.method} {request.url.path}: {error.detail}"
    return await _refused(request, Refused(said, status=error.status_code))


async def _gone(_request: Request, _error: Exception) -> Response:
    return Response(status_code=CLOSED_BY_CLIENT)


async def _broken(request: Request, _error: Exception) -> Response:
    """Ours to mend: the traceback goes to whoever runs the server."""
    said = "the server failed to answer; its own output says why"
    return await _refused(request, Refused(said, status=500, kind="server_error"))

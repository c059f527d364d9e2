"""Those who wait for an answer, and the one thread that answers them in the order they came.

One at a time: what an answer is batched with can move its last digits, and every client gets what
it would get alone.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from threading import Event

import torch

from benchmark.core.records import Response
from benchmark.cost.lending import Lending
from benchmark.engines.local import LocalEngine
from benchmark.serving.limits import Limits, Refused
from benchmark.serving.questions import Question
from benchmark.serving.writing import Abandoned, Pieces, Watch
from benchmark.vlm.perception import ImageFeatures


@dataclass(frozen=True, kw_only=True)
class Asking:
    """A request on its way. `pieces` are the answer's text as it is written, None at its end;
    `response` is None for one that was abandoned."""

    response: asyncio.Future[Response | None]
    pieces: asyncio.Queue[str | None]
    abandoned: Event = field(default_factory=Event)

    def abandon(self) -> None:
        """Whatever is still to be written need not be."""
        self.abandoned.set()
        self.response.cancel()


class Line:
    """Used from one event loop; `engine` and its model are used by the line's thread alone."""

    def __init__(self, engine: LocalEngine, *, limits: Limits) -> None:
        self._engine = engine
        self._limits = limits
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="answering")
        self._closing = Event()
        self._n_answered = 0
        self._answering_s = 0.0
        self.n_inside = 0

    def enter(self) -> None:
        """Take a place. Raises `Refused` where the line is full, with the seconds that the place
        is likely to need to become free."""
        if self.n_inside > self._limits.max_waiting:
            each_s = self._answering_s / self._n_answered if self._n_answered else 1.0
            raise Refused(
                f"{self.n_inside} requests are on their way; try again later",
                status=503,
                kind="server_error",
                code="busy",
                retry_after_s=max(1, math.ceil(each_s)),
            )
        self.n_inside += 1

    def leave(self) -> None:
        """Give the place back."""
        self.n_inside -= 1

    def ask(self, question: Question) -> Asking:
        """Have a question answered after all that were asked before it."""
        loop = asyncio.get_running_loop()
        pieces: asyncio.Queue[str | None] = asyncio.Queue()
        abandoned = Event()

        def say(piece: str | None) -> None:
            # A second Ctrl-C ends the loop before the thread.
            if not loop.is_closed():
                loop.call_soon_threadsafe(pieces.put_nowait, piece)

        answering = self._worker.submit(self._answer, question, say, abandoned)
        answering.add_done_callback(lambda _done: say(None))
        response = asyncio.wrap_future(answering)
        # Of one that is abandoned nobody asks what became of it.
        response.add_done_callback(lambda done: done.cancelled() or done.exception())
        return Asking(response=response, pieces=pieces, abandoned=abandoned)

    def stop(self) -> None:
        """Leave unanswered what is not answered yet."""
        self._closing.set()

    def close(self) -> None:
        """Stop, and wait until the thread has ended."""
        self.stop()
        self._worker.shutdown()

    # -- in the thread ------------------------------------------------------------------------

    def _answer(
        self, question: Question, say: Callable[[str], None], abandoned: Event
    ) -> Response | None:
        began = time.monotonic()
        try:
            return self._written(question, say, (abandoned, self._closing))
        except Abandoned:
            return None
        except (MemoryError, torch.OutOfMemoryError):
            raise Refused(
                "out of memory while this was answered; ask for less", status=503,
                kind="server_error", code="out_of_memory",
            ) from None  # fmt: skip
        finally:
            self._forget()
            self._n_answered += 1
            self._answering_s += time.monotonic() - began

    def _written(
        self, question: Question, say: Callable[[str], None], abandoned: tuple[Event, ...]
    ) -> Response | None:
        if any(event.is_set() for event in abandoned):
            return None
        self._check_length(question)
        text_of = partial(_text_of, self._engine)
        pieces = Pieces(text_of, say=say)
        if self._engine.responds:
            # Its first word is known once all passes are done; and a hook that looks at an answer
            # must see as much of it as in a run.
            watch = Watch(lambda _ids: None, abandoned=abandoned)
            engine = self._engine.watched(watch, max_new_tokens=self._limits.max_tokens)
            (response,) = engine.answer([question.sample])
            response = self._cut(response, question.max_tokens)
        else:
            watch = Watch(pieces.see, abandoned=abandoned)
            engine = self._engine.watched(watch, max_new_tokens=question.max_tokens)
            (response,) = engine.answer([question.sample])
        assert response.text is not None, "its pictures are kept until it is answered"
        pieces.end(response.text)
        return response

    def _check_length(self, question: Question) -> None:
        """Raise where prompt and answer are longer than the model's positions; what hooks add to
        the prompt is not known here."""
        model = self._engine.model
        n_prompt = model.encoder.prompt_length(question.sample)
        most = model.hf.config.get_text_config().max_position_embeddings
        if n_prompt + question.max_tokens > most:
            raise Refused(
                f"{n_prompt} tokens of the request and up to {question.max_tokens} of the answer "
                f"are more than the {most} that this model takes",
                param="messages",
                code="context_length_exceeded",
            )

    def _cut(self, response: Response, max_tokens: int) -> Response:
        tokenizer = self._engine.model.tokenizer
        ids = tokenizer(response.text, add_special_tokens=False)["input_ids"]
        if len(ids) <= max_tokens:
            return response
        text = tokenizer.decode(ids[:max_tokens]).strip()
        return response.model_copy(update={"text": text, "truncated": True})

    def _forget(self) -> None:
        """A run asks the same again, so that its model remembers prompts and pictures; what
        strangers ask would fill the memory."""
        model = self._engine.model
        model.encoder.forget()
        model.features = ImageFeatures(Lending(str(model.device)))
        for lending in model.lendings:
            lending.open()


def _text_of(engine: LocalEngine, ids: list[int]) -> str:
    return engine.response("", ids, n_prompt=0).text or ""

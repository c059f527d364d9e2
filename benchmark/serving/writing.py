"""An answer while it is written: pieces of text, token by token, and an end when nobody waits."""

from __future__ import annotations

from collections.abc import Callable
from itertools import takewhile
from threading import Event
from typing import Any

import torch
from transformers import StoppingCriteria

# What a tokenizer says of a character of which some bytes are still to come.
UNFINISHED = "\ufffd"


class Abandoned(Exception):
    """Nobody waits for the answer that is being written."""


class Watch(StoppingCriteria):
    """Shows all tokens of one answer after each that is written. Raises `Abandoned` once one of
    the events is set."""

    def __init__(self, see: Callable[[list[int]], None], *, abandoned: tuple[Event, ...]) -> None:
        self._see = see
        self._abandoned = abandoned

    # The library's signature.
    def __call__(
        self, input_ids: torch.Tensor, scores: torch.Tensor, **kwargs: Any
    ) -> torch.Tensor:
        """`[B]`, all False: no answer ends sooner for being watched."""
        if any(event.is_set() for event in self._abandoned):
            raise Abandoned
        self._see(input_ids[0].tolist())
        return torch.zeros(input_ids.shape[0], dtype=torch.bool, device=input_ids.device)


class Pieces:
    """Says an answer piece by piece; the pieces together are the answer to the last character.

    A token may change how the one before it is written, so that each is said when the next is
    there.
    """

    def __init__(self, text_of: Callable[[list[int]], str], *, say: Callable[[str], None]) -> None:
        self._text_of = text_of
        self._say = say
        self._last = ""
        self._said = ""

    def see(self, ids: list[int]) -> None:
        """All tokens so far."""
        text = self._text_of(ids)
        self._say_up_to(_common_start(self._last, text).rstrip(UNFINISHED))
        self._last = text

    def end(self, text: str) -> None:
        """The whole answer."""
        assert text.startswith(self._said), "what was said stays as it is"
        self._say_up_to(text)

    def _say_up_to(self, text: str) -> None:
        if len(text) > len(self._said):
            self._say(text[len(self._said) :])
            self._said = text


def _common_start(one: str, other: str) -> str:
    pairs = zip(one, other, strict=False)
    return "".join(a for a, _ in takewhile(lambda pair: pair[0] == pair[1], pairs))

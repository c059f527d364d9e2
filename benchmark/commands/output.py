"""Printing that survives a reader who leaves (`... | head`)."""

from __future__ import annotations

import os
import sys


def show(text: str) -> None:
    """Print now. When nobody reads any more, the rest is dropped without a word."""
    try:
        print(text, flush=True)
    except BrokenPipeError:
        # Python would complain once more when it closes the pipe at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def say(line: str) -> None:
    """A line for the user beside the output, one whatever names and messages hold."""
    plain = "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line)
    print(plain, file=sys.stderr, flush=True)

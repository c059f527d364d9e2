"""What a Python file does, apart from what it says: its source without comments and docstrings.

Settings are chosen, and trainings found again, for a method's code; a sentence mended in its
docstring makes no other method of it.
"""

from __future__ import annotations

import io
import tokenize
from functools import cache
from pathlib import Path

from benchmark.core.store import digest

_LAYOUT = {
    tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.COMMENT,
    tokenize.ENCODING, tokenize.ENDMARKER,
}  # fmt: skip


def digest_code(path: Path) -> str:
    """SHA-256 of a file's code, in hex; of all that it holds where that is no Python."""
    return _digest_of(path.read_bytes())


@cache
def _digest_of(content: bytes) -> str:
    """Once for each content: a run asks after its plugins some hundred times, and tokenising one
    takes a hundred times as long as reading it."""
    text = content.decode("utf-8", errors="backslashreplace")
    try:
        return digest(code_of(text))
    except (tokenize.TokenError, SyntaxError):
        return digest(text)


def digest_package(folder: Path) -> str:
    """SHA-256 over the relative names and the code of all Python files in `folder`, in hex."""
    files = sorted(path for path in folder.rglob("*.py") if path.is_file())
    return digest([[path.relative_to(folder).as_posix(), digest_code(path)] for path in files])


def code_of(text: str) -> list[str]:
    """The lines without comments, without statements that are nothing but a string, and without
    empty lines. Cut out of the source itself, so that it is the same for every Python.

    Raises as `tokenize` does for what cannot be read.
    """
    lines = dict(enumerate(text.splitlines(), start=1))
    verbatim: set[int] = set()
    statement: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row] = lines[row][:column]
        elif token.type not in _LAYOUT:
            statement.append(token)
        if token.type in (tokenize.NEWLINE, tokenize.ENDMARKER) and statement:
            if all(part.type == tokenize.STRING for part in statement):
                rows = range(statement[0].start[0], statement[-1].end[0] + 1)
                lines |= dict.fromkeys(rows, "")
            else:
                verbatim |= {row for part in statement for row in _inside(part)}
            statement = []
    return [
        line if row in verbatim else line.rstrip()
        for row, line in lines.items()
        if row in verbatim or line.strip()
    ]


def _inside(token: tokenize.TokenInfo) -> range:
    """The rows of a string of several lines: every blank of theirs counts."""
    first, last = token.start[0], token.end[0]
    return range(first, last + 1) if last > first else range(0)

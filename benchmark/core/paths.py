"""Paths as users type them, and names as files bear them."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from benchmark.core.errors import UserError

ANSWERS = "answers.jsonl"
"""What a model said, in the folder of the stage that asked it."""
# File systems take 255 bytes, and endings and the marks of unfinished files come on top.
LONGEST_NAME = 200
# A model and the host and port where it is asked, as `Endpoint.name` gives it: the dots of an
# address begin no ending.
ASKED_AT = re.compile(r"[^/]*@[^/@]+:\d+.*")


def typed_path(text: str | Path) -> Path:
    """Absolute, with `~` spelt out. Raises `UserError` for the home of a user that there is not."""
    try:
        return Path(text).expanduser().resolve()
    except RuntimeError:
        raise UserError(f"{text}: there is no such home folder") from None


def file_name(name: str) -> str:
    """`name` as a file name; of a path, or of a name too long for a file, a part and a digest, so
    that two stay two."""
    if len(name) <= LONGEST_NAME and re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._+=-]*", name):
        return name
    asked_at = ASKED_AT.search(name)
    last = asked_at[0] if asked_at else Path(name).stem
    last = re.sub(r"[^A-Za-z0-9._-]", "_", last)[: LONGEST_NAME // 2] or "unnamed"
    # A name that is no valid text has bytes all the same.
    return f"{last}-{hashlib.sha256(os.fsencode(name)).hexdigest()[:8]}"

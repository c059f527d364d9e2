"""What is served, how much of it one client may have, and how a request is refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["invalid_request_error", "not_found_error", "server_error"]


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Bounds on one request, and on how many wait."""

    max_tokens: int
    """Of an answer; whoever asks for none gets this many."""
    max_waiting: int = 64
    """Requests on their way beside the one that is answered; the suites here ask as many in one
    batch."""
    timeout_s: float = 600.0
    """From a request's first byte to its answer's last: as long as the `openai` package waits."""
    max_body_bytes: int = 50 * 2**20
    """As much as OpenAI's own endpoint takes with pictures."""
    max_pixels: int = 89_478_485
    """Of all pictures together: above it Pillow takes a single one for a decompression bomb."""
    max_aspect: float = 200.0
    """Long side over short side: a picture is scaled by its short side before it is cropped.
    Qwen2-VL's own processor draws the line here."""


class Refused(Exception):
    """A request that is not answered: a status of HTTP and what OpenAI's error object says."""

    def __init__(
        self,
        message: str,
        *,
        status: int = 400,
        kind: Kind = "invalid_request_error",
        param: str | None = None,
        code: str | None = None,
        retry_after_s: int | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.param = param
        self.code = code
        self.retry_after_s = retry_after_s

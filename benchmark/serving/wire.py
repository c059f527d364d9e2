"""Chat completions as clients of OpenAI's interface send and read them, as far as offered here.

A field that would change the answer is taken only with the value that does not; one that nobody
here knows is refused by its name, never passed over.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    FailFast,
    Field,
    JsonValue,
    ValidationError,
    field_validator,
)

from benchmark.core.config import error_lines
from benchmark.core.records import Response
from benchmark.serving.limits import Refused


class _Sent(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class TextPart(_Sent):
    """Words of a turn."""

    type: Literal["text"]
    text: str


class ImageUrl(_Sent):
    """Where a picture is; how closely to look makes no difference here."""

    url: str
    detail: Literal["auto", "low", "high"] = "auto"


class ImagePart(_Sent):
    """A picture of a turn."""

    type: Literal["image_url"]
    image_url: ImageUrl


Part = Annotated[TextPart | ImagePart, Field(discriminator="type")]


class Turn(_Sent):
    """Who says what."""

    role: str
    content: Annotated[list[Part], FailFast()] = []
    name: str | None = None

    @field_validator("content", mode="before")
    @classmethod
    def _as_parts(cls, content: JsonValue) -> JsonValue:
        """A text alone is one part."""
        return [{"type": "text", "text": content}] if isinstance(content, str) else content


class StreamOptions(_Sent):
    """What a stream says beside the answer."""

    include_usage: bool = False


def _only(value: float, why: str) -> AfterValidator:
    def check(given: float | None) -> float | None:
        if given is not None and given != value:
            raise ValueError(f"only {value} is offered here: {why}")
        return given

    return AfterValidator(check)


_GREEDY = _only(0, "answers are greedy")


class ChatRequest(_Sent):
    """The body of a request. `user`, `seed` and `top_p` make no difference to a greedy answer."""

    model: str
    messages: Annotated[list[Turn], FailFast(), Field(min_length=1)]
    max_tokens: Annotated[int | None, Field(ge=1)] = None
    max_completion_tokens: Annotated[int | None, Field(ge=1)] = None
    stream: bool | None = False
    stream_options: StreamOptions | None = None
    n: Annotated[int | None, _only(1, "one answer to a request")] = None
    temperature: Annotated[float | None, _GREEDY] = None
    presence_penalty: Annotated[float | None, _GREEDY] = None
    frequency_penalty: Annotated[float | None, _GREEDY] = None
    user: str | None = None
    seed: int | None = None
    top_p: float | None = None


def read(body: bytes) -> ChatRequest:
    """A request's body. Raises `Refused` with the first field that is wrong."""
    try:
        return ChatRequest.model_validate_json(body)
    except ValidationError as error:
        lines = error_lines(error, ChatRequest)
        more = f" (and {len(lines) - 1} more)" if len(lines) > 1 else ""
        place = ".".join(str(part) for part in error.errors(include_url=False)[0]["loc"])
        raise Refused(f"{lines[0]}{more}", param=place or None) from None


def completion(response: Response, *, head: dict[str, JsonValue]) -> dict[str, JsonValue]:
    """A whole answer; `head` is what all answers of a request have in common."""
    message: JsonValue = {"role": "assistant", "content": response.text, "refusal": None}
    choice: JsonValue = {
        "index": 0,
        "message": message,
        "logprobs": None,
        "finish_reason": _ended(response),
    }
    return {**head, "object": "chat.completion", "choices": [choice], "usage": usage(response)}


def chunk(
    delta: dict[str, JsonValue], *, head: dict[str, JsonValue], ended: Response | None = None
) -> dict[str, JsonValue]:
    """A piece of an answer; the last one says how it ended."""
    choice: JsonValue = {
        "index": 0,
        "delta": delta,
        "logprobs": None,
        "finish_reason": _ended(ended) if ended is not None else None,
    }
    return {**head, "object": "chat.completion.chunk", "choices": [choice]}


def usage(response: Response) -> dict[str, JsonValue]:
    """Tokens that the model read and wrote, in all passes where a hook asks it several times."""
    n_prompt, n_answer = response.n_prompt_tokens, response.n_answer_tokens
    return {
        "prompt_tokens": n_prompt,
        "completion_tokens": n_answer,
        "total_tokens": n_prompt + n_answer,
    }


def problem(refused: Refused) -> dict[str, JsonValue]:
    """OpenAI's error object."""
    return {
        "error": {
            "message": str(refused),
            "type": refused.kind,
            "param": refused.param,
            "code": refused.code,
        }
    }


def _ended(response: Response) -> str:
    return "length" if response.truncated else "stop"

"""A client's request becomes a sample: every request stands alone, and nothing is fetched."""

from __future__ import annotations

import base64
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from benchmark.core.errors import nearest
from benchmark.core.samples import ImageFile, Sample
from benchmark.core.store import digest
from benchmark.data.images import ImageStore
from benchmark.serving.limits import Limits, Refused
from benchmark.serving.wire import ChatRequest, ImagePart, TextPart, Turn, read

SYSTEM = ("system", "developer")
DATA_URL = re.compile(r"data:image/[\w.+-]+;base64,", re.IGNORECASE)
FORMATS = ("PNG", "JPEG", "WEBP", "GIF")


@dataclass(frozen=True, kw_only=True)
class Served:
    """What requests are read for: the model's name, whether it sees, and the texts that are
    special tokens to it, which no client may write."""

    name: str
    sees: bool
    special: Collection[str]
    limits: Limits


@dataclass(frozen=True, kw_only=True)
class Question:
    """A request that can be answered."""

    sample: Sample
    max_tokens: int
    stream: bool
    include_usage: bool


def question_of(body: bytes, served: Served, *, folder: Path) -> Question:
    """Read a request; its pictures are put into `folder`. Raises `Refused` for what is not offered,
    by its name."""
    request = read(body)
    check_model(request.model, served)
    system, asked = _turns(request.messages)
    before, pictures, prompt = _parts(asked, place=f"messages.{len(request.messages) - 1}.content")
    for text in filter(None, (system, before, prompt)):
        _check_words(text, served.special)
    images = _stored(pictures, served, folder=folder)
    if not prompt.strip() and not images:
        raise Refused("there is nothing to ask: the user's turn is empty", param="messages")
    said = [system, before, prompt, *(image.sha256 for image in images)]
    sample = Sample(
        # By content: what hooks draw from it is the same for the same request.
        id=digest(said)[:16],
        behaviour="asked",
        card="asked",
        purpose="utility",
        prompt=prompt,
        system=system,
        before_image=before,
        images=images,
    )
    options = request.stream_options
    return Question(
        sample=sample,
        max_tokens=_max_tokens(request, served.limits),
        stream=bool(request.stream),
        include_usage=options is not None and options.include_usage,
    )


def check_model(name: str, served: Served) -> None:
    """Raise `Refused` for another model's name."""
    if name != served.name:
        raise Refused(
            f"the model '{name}' is not served here; {nearest(name, [served.name])}",
            status=404,
            kind="not_found_error",
            param="model",
            code="model_not_found",
        )


def _max_tokens(request: ChatRequest, limits: Limits) -> int:
    for field in ("max_completion_tokens", "max_tokens"):
        wanted = getattr(request, field)
        if wanted is None:
            continue
        if wanted > limits.max_tokens:
            raise Refused(
                f"{field} = {wanted}: answers here have at most {limits.max_tokens} tokens",
                param=field,
            )
        return wanted
    return limits.max_tokens


def _turns(messages: Sequence[Turn]) -> tuple[str | None, Turn]:
    """What the system turn says, and the user's turn."""
    system = None
    if messages[0].role in SYSTEM:
        system = _text(messages[0].content, place="messages.0.content")
    rest = list(enumerate(messages))[messages[0].role in SYSTEM :]
    for number, turn in rest:
        last = number == len(messages) - 1
        if turn.role != "user" or not last:
            raise Refused(
                f"messages.{number}: a turn of '{turn.role}' is not taken here; every request "
                "stands alone, one user turn after at most one system turn",
                param=f"messages.{number}.role",
            )
    if not rest:
        raise Refused("messages: there is no user turn", param="messages")
    return system, messages[-1]


def _text(parts: Sequence[TextPart | ImagePart], *, place: str) -> str:
    for part in parts:
        if isinstance(part, ImagePart):
            raise Refused(f"{place}: a picture belongs into the user's turn", param=place)
    return _joined(parts) or ""


def _parts(turn: Turn, *, place: str) -> tuple[str | None, list[tuple[str, str]], str]:
    """The user's words before the pictures, the pictures' places and addresses, and the prompt.

    Where no words come after the pictures, those before them are the prompt, and the pictures come
    first, as models are trained; an empty text after the pictures keeps the order.
    """
    at = [n for n, part in enumerate(turn.content) if isinstance(part, ImagePart)]
    if not at:
        return None, [], _joined(turn.content) or ""
    first, last = at[0], at[-1]
    if last - first + 1 != len(at):
        raise Refused(f"{place}: words between pictures are not taken", param=place)
    pictures = [
        (f"{place}.{first + n}.image_url.url", part.image_url.url)
        for n, part in enumerate(turn.content[first : last + 1])
        if isinstance(part, ImagePart)
    ]
    before, after = _joined(turn.content[:first]), _joined(turn.content[last + 1 :])
    return (None, pictures, before or "") if after is None else (before, pictures, after)


def _joined(parts: Sequence[TextPart | ImagePart]) -> str | None:
    """Each text on lines of its own; None where there is none."""
    texts = [part.text for part in parts if isinstance(part, TextPart)]
    return "\n".join(texts) if texts else None


def _check_words(text: str, special: Collection[str]) -> None:
    """A client that may write the model's own marks could put words into its mouth."""
    found = sorted(token for token in special if token in text)
    if found:
        raise Refused(
            f"messages: '{found[0]}' is a special token of this model, and no text",
            param="messages",
        )


def _stored(
    pictures: Sequence[tuple[str, str]], served: Served, *, folder: Path
) -> tuple[ImageFile, ...]:
    if pictures and not served.sees:
        raise Refused("this model does not see: it takes no pictures", param=pictures[0][0])
    store, room, found = ImageStore(folder), served.limits.max_pixels, []
    for place, url in pictures:
        pixels_HWC = _opened(url, place=place, room=room, max_aspect=served.limits.max_aspect)
        room -= pixels_HWC.shape[0] * pixels_HWC.shape[1]
        found.append(store.put(pixels_HWC))
    return tuple(found)


def _opened(url: str, *, place: str, room: int, max_aspect: float) -> np.ndarray:
    """`[H, W, 3]`, 8 bits a channel."""
    head = DATA_URL.match(url)
    if head is None:
        raise Refused(
            f"{place}: pictures come as data:image/...;base64,... and are never fetched, neither "
            "from the net nor from a disk",
            param=place,
        )
    try:
        octets = base64.b64decode(url[head.end() :], validate=True)
    except ValueError as error:
        raise Refused(f"{place}: not base64: {error}", param=place) from None
    try:
        with Image.open(BytesIO(octets), formats=FORMATS) as image:
            _check_size(image.size, place=place, room=room, max_aspect=max_aspect)
            return np.asarray(image.convert("RGB"))
    except UnidentifiedImageError:
        known = ", ".join(FORMATS)
        raise Refused(
            f"{place}: the picture is no image that can be read; it is none of {known}", param=place
        ) from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise Refused(f"{place}: the picture cannot be read: {error}", param=place) from None


def _check_size(size: tuple[int, int], *, place: str, room: int, max_aspect: float) -> None:
    short, long = sorted(size)
    if not 0 < short * long <= room:
        raise Refused(
            f"{place}: a picture of {size[0]} x {size[1]} pixels, where there is room for {room}",
            param=place,
        )
    if long > max_aspect * short:
        raise Refused(
            f"{place}: a picture of {size[0]} x {size[1]} pixels; one side may be {max_aspect:g} "
            "times as long as the other",
            param=place,
        )

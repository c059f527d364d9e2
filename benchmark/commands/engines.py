"""Options that say who answers: the model here, by one engine or another, or an endpoint."""

from __future__ import annotations

from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import urlsplit

import typer

from benchmark.core.errors import MissingError, UserError

if TYPE_CHECKING:
    from benchmark.core.records import Endpoint

EngineName = Literal["local", "vllm", "auto", "openai"]
EngineOption = Annotated[
    EngineName,
    typer.Option(
        "--engine",
        help="Who answers: local is transformers in this process; vllm needs `make setup-vllm`; "
        "auto is vllm where it is installed and serves model and method, and says what it chose; "
        "openai is any endpoint with OpenAI's interface.",
    ),
]
EndpointOption = Annotated[
    str | None,
    typer.Option("--endpoint", help="Its address up to /v1; a key is read from VLM_BENCH_API_KEY."),
]
ServedModelOption = Annotated[
    str | None, typer.Option("--served-model", help="The model's name at the endpoint.")
]


def read_endpoint(engine: EngineName, url: str | None, model: str | None) -> Endpoint | None:
    """The endpoint that is to answer, None for the model itself. Raises `UserError` for options
    that do not go together and an address that is none, `MissingError` without the client."""
    if engine != "openai":
        if url is not None or model is not None:
            raise UserError("--endpoint and --served-model go with --engine openai")
        return None
    if not url or not model:
        raise UserError("--engine openai needs --endpoint and --served-model")
    if find_spec("openai") is None:
        raise MissingError(
            "--engine openai needs the package openai, which is not installed: "
            ".venv/bin/python -m pip install -c constraints.txt -e '.[endpoint]'"
        )
    try:
        model.encode()
    except UnicodeEncodeError:
        raise UserError(f"--served-model '{model}': it holds half a character") from None
    from benchmark.core.records import Endpoint

    return Endpoint(url=_address(url), model=model)


def _address(url: str) -> str:
    wanted = "expected an address such as http://127.0.0.1:8000/v1"
    try:
        parts = urlsplit(url)
        named = parts.hostname is not None and parts.port != 0
    except ValueError as error:
        raise UserError(f"--endpoint '{url}': {error}; {wanted}") from None
    if not (named and url.isascii() and parts.scheme in ("http", "https")):
        raise UserError(f"--endpoint '{url}': {wanted}")
    if parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        # The address is stored in the record, and a secret must not be.
        raise UserError(
            f"--endpoint: {wanted}, and nothing else in it; a key is read from VLM_BENCH_API_KEY"
        )
    return url.rstrip("/")

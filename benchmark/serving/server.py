"""Offer a method's model: a socket, a line of those who ask, and an end at Ctrl-C."""

from __future__ import annotations

import socket
from types import FrameType

import uvicorn

from benchmark.core.errors import UserError
from benchmark.core.found import Offered
from benchmark.engines.local import LocalEngine
from benchmark.probes.serving import Trained
from benchmark.serving.app import make_app
from benchmark.serving.limits import Limits
from benchmark.serving.line import Line
from benchmark.serving.questions import Served
from benchmark.stages.answer import engine_of
from benchmark.vlm.model import VisionLanguageModel

# After Ctrl-C, for those who are told that the server closes to hear it.
GRACE_S = 5


def listening(host: str, port: int) -> socket.socket:
    """A socket that takes connections. Raises `UserError` for a place that cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family)
    except (OSError, OverflowError) as error:
        raise UserError(
            f"cannot listen on {host}:{port}: {getattr(error, 'strerror', None) or error}; "
            "--port 0 takes a free one"
        ) from None


class Offering:
    """An engine's answers under a name, ready to be served on a socket. `fingerprint` tells its
    weights and hooks from others'."""

    def __init__(
        self,
        engine: LocalEngine,
        *,
        name: str,
        sees: bool,
        fingerprint: str,
        limits: Limits,
        at: socket.socket,
    ) -> None:
        served = Served(name=name, sees=sees, special=_special(engine.model), limits=limits)
        self._at = at
        self._line = Line(engine, limits=limits)
        app = make_app(self._line, served, fingerprint=fingerprint)
        config = uvicorn.Config(
            app, log_config=None, access_log=False, timeout_graceful_shutdown=GRACE_S
        )
        self.server = _Server(config, line=self._line)
        host, port = at.getsockname()[:2]
        self.url = f"http://{f'[{host}]' if ':' in host else host}:{port}/v1"

    def serve(self) -> None:
        """Until somebody ends it, by a signal or `server.should_exit`."""
        try:
            self.server.run(sockets=[self._at])
        finally:
            self._line.close()


def offer(made: Trained, *, limits: Limits, at: socket.socket) -> tuple[Offering, Offered]:
    """A trained method's model, its hooks included, and what is to be said of it."""
    spec, info = made.run.spec, made.artifact.info
    engine = engine_of(made.run, made.artifact, made.loaded)
    offering = Offering(
        engine,
        name=f"{spec.model}/{spec.method}",
        sees=made.run.model_card.images,
        fingerprint=f"fp_{info.id[:16]}",
        limits=limits,
        at=at,
    )
    return offering, Offered(
        url=offering.url,
        served_model=f"{spec.model}/{spec.method}",
        method=spec.method,
        model=spec.model,
        seed=spec.seed,
        hooks=info.hooks,
        in_pieces=not engine.responds,
        max_tokens=limits.max_tokens,
        max_waiting=limits.max_waiting,
        timeout_s=limits.timeout_s,
    )


def _special(model: VisionLanguageModel) -> set[str]:
    """Texts that are no words to a model: its marks of turns, ends and pictures."""
    known = model.tokenizer.added_tokens_decoder.values()
    return {token.content for token in known if token.special}


class _Server(uvicorn.Server):
    """Stops answering at the signal, and not when every answer has been written."""

    def __init__(self, config: uvicorn.Config, *, line: Line) -> None:
        super().__init__(config)
        self._line = line

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """A signal came."""
        self._line.stop()
        super().handle_exit(sig, frame)

"""Where a stage keeps its work: one folder for each content key, held by one process at a time."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from benchmark.core.errors import UserError
from benchmark.core.store import write_atomic, writing
from benchmark.cost.budget import Budget
from benchmark.cost.meter import LEDGER, Begun, ignore

if TYPE_CHECKING:
    from pydantic import JsonValue


class StageFolder:
    """One stage's folder, named by its content key; done once `manifest.json` is there."""

    def __init__(self, root: Path, kind: str, key: str) -> None:
        self.path = root / "local" / "stages" / kind / key
        self.key = key
        self._lock_path = self.path.with_name(f"{key}.lock")
        self._manifest_path = self.path / "manifest.json"

    @contextmanager
    def lock(self, on_wait: Callable[[str], None]) -> Iterator[None]:
        """Be the only process in this folder; waits for another one after `on_wait(who)`.

        The kernel drops the lock of a killed process, so that none is ever left behind.
        """
        with writing(self._lock_path):
            self.path.mkdir(parents=True, exist_ok=True)
            # Without a buffer: what a full disk refused would be tried again when it is closed.
            stream = self._lock_path.open("ab+", buffering=0)
        with stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                stream.seek(0)
                on_wait(stream.read().decode(errors="replace").strip() or "another process")
                fcntl.flock(stream, fcntl.LOCK_EX)
            with writing(self._lock_path):
                stream.truncate(0)
                stream.write(_holder().encode())
            yield

    @contextmanager
    def opened(
        self,
        doing: str,
        *,
        note: Callable[[str], None],
        again: bool | Callable[[], bool] = False,
        begun: Begun = ignore,
        budget: Budget | None = None,
    ) -> Iterator[bool]:
        """Be the only process in this folder; yields whether its work was found done.

        Another one that is `doing` it is waited for after a `note`. `again` forgets what was done;
        as a question it is put once nobody else is in the folder. What was found counts against the
        budget as what is made does; `begun` is told of the folder where there is work to do.
        """
        with self.lock(lambda who: note(f"waiting: {who} is {doing}")):
            if again() if callable(again) else again:
                self.clear()
            found = self.is_done()
            if not found:
                begun(self.path)
            elif budget is not None:
                budget.found(self.path / LEDGER)
            yield found

    def is_done(self) -> bool:
        """Whether the stage was finished."""
        return self._manifest_path.exists()

    def finish(self, manifest: dict[str, JsonValue]) -> None:
        """Mark the stage done; the last thing written to it."""
        write_atomic(self._manifest_path, json.dumps(manifest, indent=2, sort_keys=True) + "\n")

    def manifest(self, *fields: str) -> dict[str, JsonValue]:
        """What `finish` was given; a corrupt one, or one that lacks one of the fields, is a
        `UserError` that says how to mend it."""
        try:
            found = json.loads(self._manifest_path.read_bytes())
        except (ValueError, RecursionError) as error:
            raise self._corrupt(str(error)) from None
        if not isinstance(found, dict):
            raise self._corrupt("it holds no fields")
        for name in fields:
            if name not in found:
                raise self._corrupt(f"it lacks '{name}'")
        return found

    def _corrupt(self, problem: str) -> UserError:
        return UserError(f"{self._manifest_path}: corrupt ({problem}); run again with --force")

    def clear(self) -> None:
        """Forget all that was done here. The caller holds the lock."""
        with writing(self.path):
            shutil.rmtree(self.path)
            self.path.mkdir(parents=True, exist_ok=True)


def _holder() -> str:
    now = datetime.now(UTC).strftime("%H:%M:%S UTC")
    return f"process {os.getpid()} on {socket.gethostname()} since {now}"

"""What lies on disk: content keys, whole files written at once, line logs that survive a kill.

`results/local` holds all that a user runs and `results/published` what is committed; `Results`
knows the paths. A `StageFolder` is one finished or unfinished stage, found again by its key.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from benchmark.core.errors import UserError
from benchmark.core.paths import file_name, typed_path

if TYPE_CHECKING:
    from pydantic import BaseModel

    from benchmark.core.records import RunSpec

    ModelT = TypeVar("ModelT", bound=BaseModel)

REPOSITORY = Path(__file__).resolve().parents[2]
PUBLISHED_IN = REPOSITORY
RESULTS_VARIABLE = "VLM_BENCH_RESULTS"
_FULL = {errno.ENOSPC, errno.EDQUOT}
_FORBIDDEN = {errno.EACCES, errno.EPERM, errno.EROFS}
_LEAST_FREE_BYTES = 64 * 1024
TAIL_BYTES = 64 * 1024


class StorageError(UserError):
    """The disk is full, or the place may not be written to."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turn what goes wrong with the disk into the one line that names the path and the remedy."""
    try:
        yield
    except StorageError:
        raise
    except OSError as error:
        raise _storage_error(path, error.errno, error.strerror or str(error)) from error
    except Exception as error:
        # torch and safetensors report a full disk in words of their own, not as an OSError.
        if not _is_full(path):
            raise
        raise _storage_error(path, errno.ENOSPC, os.strerror(errno.ENOSPC)) from error


def _storage_error(path: Path, number: int | None, problem: str) -> StorageError:
    remedy = ""
    if number in _FULL:
        remedy = "; free some space and run the same command again, it goes on where it stopped"
    elif number in _FORBIDDEN:
        remedy = f"; choose another results folder with --results or {RESULTS_VARIABLE}"
    return StorageError(f"cannot write {path}: {problem}{remedy}")


def _is_full(path: Path) -> bool:
    """Whether less is free where `path` lies than any of our files takes."""
    folder = next(folder for folder in (path, *path.parents) if folder.is_dir())
    return shutil.disk_usage(folder).free < _LEAST_FREE_BYTES


def canonical(value: object) -> str:
    """JSON with sorted keys and no spaces: equal values are equal text. NaN raises `ValueError`."""
    return json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def digest(value: object) -> str:
    """SHA-256 of the canonical JSON, in hex."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def digest_file(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def digest_once(path: Path) -> str:
    """As `digest_file`; a file that this process has read so before, and that nobody has written
    since, is not read again."""
    seen = path.stat()
    # What changes where a file is written: which one it is, its size, and when that was.
    written = (seen.st_dev, seen.st_ino, seen.st_size, seen.st_mtime_ns, seen.st_ctime_ns)
    return _digest_as_written(path, written)


@cache
def _digest_as_written(path: Path, _written: tuple[int, ...]) -> str:
    return digest_file(path)


def digest_folder(folder: Path, *, pattern: str = "*") -> str:
    """SHA-256 over the relative names and bytes of the files in `folder`, in hex."""
    files = sorted(path for path in folder.rglob(pattern) if path.is_file())
    return digest([[path.relative_to(folder).as_posix(), digest_file(path)] for path in files])


def write_atomic(path: Path, content: str | bytes) -> None:
    """Put `content` at `path`, wholly or not at all, also when the machine loses power."""
    data = content.encode() if isinstance(content, str) else content
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with writing(path):
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with temporary.open("wb") as stream:
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())
            os.replace(temporary, path)
        finally:
            with suppress(OSError):
                temporary.unlink()


class JsonLines:
    """A log of records, one JSON object a line, that a SIGKILL can only cut in its last line."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def append(self, items: Iterable[BaseModel]) -> None:
        """Add `items` in one write and wait until they are on disk; cuts a torn last line first."""
        data = "".join(item.model_dump_json() + "\n" for item in items).encode()
        if not data:
            return
        with writing(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.open("ab") as stream:
                stream.truncate(self._whole_bytes())
                stream.write(data)
                stream.flush()
                os.fsync(stream.fileno())

    def read(self, model: type[ModelT]) -> list[ModelT]:
        """All whole lines as `model`; a corrupt one is a `UserError` with its file and line."""
        from pydantic import ValidationError

        if not self.path.exists():
            return []
        lines = self.path.read_bytes()[: self._whole_bytes()].splitlines()
        items = []
        for number, line in enumerate(lines, start=1):
            try:
                items.append(model.model_validate_json(line))
            except ValidationError as error:
                first = error.errors(include_url=False)[0]
                place = ".".join(map(str, first["loc"]))
                problem = f"{place}: {first['msg']}" if place else first["msg"]
                raise UserError(f"{self.path}:{number}: corrupt line: {problem}") from None
        return items

    def _whole_bytes(self) -> int:
        """Length up to and with the last newline, looked for from the end."""
        end = self.path.stat().st_size if self.path.exists() else 0
        while end:
            start = max(0, end - TAIL_BYTES)
            with self.path.open("rb") as stream:
                stream.seek(start)
                at = stream.read(end - start).rfind(b"\n")
            if at >= 0:
                return start + at + 1
            end = start
        return 0


@dataclass(frozen=True)
class Results:
    """Where everything lies: what a user makes below `root`, what is published in the clone."""

    root: Path
    published_records: Path = field(default_factory=lambda: PUBLISHED_IN / "results" / "published")
    leaderboard: Path = field(default_factory=lambda: PUBLISHED_IN / "leaderboard")

    @property
    def readme(self) -> Path:
        """The page that shows the published boards in short."""
        return self.leaderboard.parent / "README.md"

    @property
    def images(self) -> Path:
        return self.root / "local" / "images"

    @property
    def local_records(self) -> Path:
        return self.root / "local" / "records"

    def record(
        self, *, suite: str, model: str, method: str, seed: int, limit: int | None = None
    ) -> Path:
        """The local record of one run; a limited run never takes a full one's place."""
        name = f"{seed}.limit-{limit}.json" if limit is not None else f"{seed}.json"
        return self.local_records / file_name(suite) / file_name(model) / file_name(method) / name

    def record_of(self, spec: RunSpec) -> Path:
        """The local record of the run that was asked for like this."""
        return self.record(
            suite=spec.suite, model=spec.model, method=spec.method, seed=spec.seed, limit=spec.limit
        )

    def published(self, *, suite: str, model: str, method: str, seed: int) -> Path:
        """The committed record; its verdict table lies beside it as SEED.verdicts.csv.gz."""
        folder = self.published_records / file_name(suite) / file_name(model) / file_name(method)
        return folder / f"{seed}.json"

    def published_study(self, *, study: str, model: str, method: str, seed: int) -> Path:
        """The committed record of a study's row that is on no main board."""
        return self.study_records(study, model) / file_name(method) / f"{seed}.json"

    def study_records(self, study: str, model: str) -> Path:
        """The folder of a study's committed records."""
        return self.published_records / "studies" / file_name(study) / file_name(model)

    def study_page(self, *, suite: str, study: str, ending: str, published: bool) -> Path:
        """A file of a study's page; `ending` is md, csv or that of a picture: forms.png."""
        base = self.leaderboard if published else self.root / "local" / "leaderboard"
        return base / file_name(suite) / "studies" / f"{file_name(study)}.{ending}"

    def board(self, *, suite: str, model: str, suffix: str, published: bool = False) -> Path:
        """A board's file; `suffix` is md, csv or json."""
        base = self.leaderboard if published else self.root / "local" / "leaderboard"
        return base / file_name(suite) / f"{file_name(model)}.{suffix}"


def results_root() -> Path:
    """The results folder: `VLM_BENCH_RESULTS`, or `results/` in the clone."""
    chosen = os.environ.get(RESULTS_VARIABLE)
    return typed_path(chosen) if chosen else REPOSITORY / "results"


def check_writable(root: Path) -> None:
    """Raise the one line before any work is done if nothing can be stored under `root`."""
    probe = root / "local" / f".probe.{os.getpid()}.tmp"
    with writing(root):
        probe.parent.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"x")
        probe.unlink()

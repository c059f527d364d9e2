"""A real disk of a few megabytes for one process of the product, which the kernel lets run full.

It is a tmpfs in a mount namespace of the process's own. What lay in the folder is on it, and what
is on it at the end lies in the folder again, without the ballast: there is room then.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import signal
import sys
from pathlib import Path

from faults.traps import BALLAST

# Of sched.h and sys/mount.h.
CLONE_NEWNS, CLONE_NEWUSER = 0x00020000, 0x10000000
MS_REC, MS_PRIVATE = 0x4000, 0x40000


def are_allowed() -> bool:
    """May this user mount one here? Tried in a process of its own."""
    if sys.platform != "linux":
        return False
    child = os.fork()
    if child == 0:
        try:
            _own_mounts()
        except OSError:
            os._exit(1)
        os._exit(0)
    return os.waitpid(child, 0)[1] == 0


def live_on(folder: Path, *, n_bytes: int) -> None:
    """Go on in a child process that sees a disk of that size at `folder`; the caller's process
    waits for it, brings home what is on the disk, and ends as the child did."""
    outside = folder.with_name(f"{folder.name}.outside")
    folder.rename(outside)
    folder.mkdir()
    _own_mounts()
    _mount("tmpfs", str(folder), "tmpfs", 0, f"size={n_bytes}")
    shutil.copytree(outside, folder, dirs_exist_ok=True)
    child = os.fork()
    if child == 0:
        return
    status = os.waitpid(child, 0)[1]
    shutil.rmtree(outside)
    shutil.copytree(folder, outside, ignore=shutil.ignore_patterns(BALLAST))
    _bring_home(outside, folder)
    _end_like(status)


def _own_mounts() -> None:
    user, group = os.geteuid(), os.getegid()
    _check(_libc().unshare(CLONE_NEWUSER | CLONE_NEWNS))
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"0 {user} 1")
    Path("/proc/self/gid_map").write_text(f"0 {group} 1")
    _mount("none", "/", None, MS_REC | MS_PRIVATE, None)


def _bring_home(outside: Path, folder: Path) -> None:
    _check(_libc().umount2(str(folder).encode(), 0))
    folder.rmdir()
    outside.rename(folder)


def _mount(source: str, at: str, kind: str | None, flags: int, options: str | None) -> None:
    words = [word.encode() if word is not None else None for word in (source, at, kind, options)]
    _check(_libc().mount(words[0], words[1], words[2], ctypes.c_ulong(flags), words[3]))


def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _check(code: int) -> None:
    if code != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _end_like(status: int) -> None:
    if os.WIFSIGNALED(status):
        os.kill(os.getpid(), signal.Signals(os.WTERMSIG(status)))
    os._exit(os.waitstatus_to_exitcode(status))

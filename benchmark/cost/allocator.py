"""What the C library does with memory that is freed. Other libraries than glibc are left alone."""

from __future__ import annotations

import ctypes
import platform

# Of mallopt(3).
M_TRIM_THRESHOLD, M_TOP_PAD, M_MMAP_MAX = -1, -2, -4


def is_glibc() -> bool:
    """Is it the library that can be told?"""
    return platform.libc_ver()[0] == "glibc"


def keep_freed_memory() -> None:
    """Keep what is freed for the next that asks: where a small model answers, fetching memory for
    every activation from the system anew takes a tenth of the time."""
    if not is_glibc():
        return
    libc = ctypes.CDLL(None)
    for option, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, 2**31 - 1), (M_TOP_PAD, 2**26)):
        libc.mallopt(option, value)


def return_freed_memory() -> None:
    """Give back what is kept and unused, so that it does not count as used by what comes next."""
    if is_glibc():
        ctypes.CDLL(None).malloc_trim(0)

"""Does an error say that this machine cannot round weights, or is it anything else?"""

from __future__ import annotations

import traceback

from benchmark.core.errors import UserError

ROUNDING = (
    "bitsandbytes",
    "transformers.integrations.bitsandbytes",
    "transformers.quantizers",
    "transformers.utils.quantization_config",
    # What goes wrong while weights are rounded is collected, and raised from here.
    "transformers.utils.loading_report",
)
"""The modules that round weights and multiply rounded ones, by the beginnings of their names."""
COMPLAINTS = (ImportError, RuntimeError, ValueError)
"""How they say that a package, a device or a kernel is not there."""


def cause_of(error: Exception) -> BaseException:
    """What a library said, which loading puts into one line of its own."""
    return error.__cause__ or error if isinstance(error, UserError) else error


def cannot_round(cause: BaseException) -> bool:
    """Was it said by what rounds, or by torch of a kernel that it does not have?

    The type alone does not tell: what rounds complains in types that any code raises, and of other
    code they are a bug's, a full disk's or a damaged file's. So one frame of the traceback must be
    in a module that rounds. A `NotImplementedError` needs none: torch's dispatcher raises it for an
    operation that has no kernel on a device, from below whatever module called for it.
    """
    if isinstance(cause, NotImplementedError):
        return True
    return isinstance(cause, COMPLAINTS) and any(
        str(frame.f_globals.get("__name__")).startswith(ROUNDING)
        for frame, _ in traceback.walk_tb(cause.__traceback__)
    )

"""The commands of `python -m benchmark`: parse, call, print. Nothing heavy is imported up here.

`vlm-bench` is the same by a name that a shell can complete.

Exit codes: 0 done, 1 a run failed (recorded), 2 user error, 3 something asked for is missing
(`doctor`; or a method that was named needs what its target or suite does not offer), 4 stopped
at `--max-gpu-hours`, 130 interrupted and resumable. Bugs keep their traceback.
"""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Sequence
from functools import cache

import typer
from typer.exceptions import TyperException
from typer.main import get_command

from benchmark.commands import (
    adding,
    asking,
    boards,
    checking,
    delegating,
    enduring,
    exporting,
    fetching,
    judging,
    listing,
    mechanisms,
    miniature,
    pictured,
    planning,
    plotting,
    publishing,
    quality,
    reproducing,
    running,
    schemas,
    searching,
    serving,
    sharing,
    showing,
    speeding,
    studying,
    upkeep,
)
from benchmark.commands.ended import FAILED, INTERRUPTED, MISSING, USER_ERROR
from benchmark.commands.output import say
from benchmark.core.errors import DataMissing, RunFailed, UserError, nearest
from benchmark.core.garbage import leave_it_all

SCRIPT = "vlm-bench"
# What a disk says of a place that a user chose; that a file is not there may be our own mistake.
_FOR_THE_USER = {
    errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS, errno.EIO,
    errno.ENAMETOOLONG, errno.ENOTDIR, errno.EISDIR, errno.ELOOP,
}  # fmt: skip

app = typer.Typer(
    name="benchmark",
    help="Unlearn harmful behaviour in vision-language models, and see what it did and cost.",
    epilog="First steps: `python -m benchmark list methods`, then "
    "`python -m benchmark run --method textual_unlearning`.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for _module in (
    running,
    judging,
    quality,
    planning,
    searching,
    studying,
    enduring,
    adding,
    checking,
    boards,
    publishing,
    showing,
    asking,
    exporting,
    delegating,
    serving,
    reproducing,
    plotting,
    mechanisms,
    speeding,
    pictured,
    listing,
    fetching,
    schemas,
    upkeep,
    miniature,
):
    _module.add_to(app)


def script() -> None:
    """The console script `vlm-bench`; `vlm-bench --install-completion` lets the shell complete."""
    code = main(prog_name=SCRIPT)
    leave_it_all()
    sys.exit(code)


def main(arguments: Sequence[str] | None = None, *, prog_name: str = "python -m benchmark") -> int:
    """Run one command and return its exit code."""
    asked = sys.argv[1:] if arguments is None else arguments
    if prog_name != SCRIPT and any(one.endswith("-completion") for one in asked[:1]):
        return _say(
            f"a shell completes `{SCRIPT}` alone: .venv/bin/{SCRIPT} {asked[0]}", USER_ERROR
        )
    if asked and (why := sharing.refusal(asked[0], running.NAMES)) is not None:
        return USER_ERROR if sharing.is_follower() else _say(why, USER_ERROR)
    try:
        code = _commands()(args=arguments, prog_name=prog_name, standalone_mode=False)
    except TyperException as error:
        return _usage(error)
    except DataMissing as error:
        return _say(str(error), MISSING)
    except UserError as error:
        return _say(str(error), USER_ERROR)
    except RunFailed as error:
        return _say(str(error), FAILED)
    except typer.Abort:
        code = INTERRUPTED
    except OSError as error:
        if error.errno not in _FOR_THE_USER:
            raise
        return _say(f"{error.filename or 'disk'}: {error.strerror}", USER_ERROR)
    if code == INTERRUPTED:
        return _say(
            "interrupted; run the same command again and it goes on where it stopped", INTERRUPTED
        )
    return code or 0


@cache
def _commands() -> Callable[..., int | None]:
    """All of them, with their options; made once, for whoever calls `main` again."""
    return get_command(app)


def _usage(error: TyperException) -> int:
    message = error.format_message()
    if type(error).__name__ == "NoArgsIsHelpError":
        print(message)
        return USER_ERROR
    if hasattr(error, "possibilities"):
        wrong = str(getattr(error, "option_name", ""))
        known = _option_names(error)
        message = f"unknown option '{wrong}': {nearest(wrong, known)}"
    message = " ".join(message.split()).replace("Value error, ", "").rstrip(".")
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "python -m benchmark"
    return _say(f"{message} (`{command} --help` shows how)", USER_ERROR)


def _option_names(error: TyperException) -> list[str]:
    context = getattr(error, "ctx", None)
    parameters = context.command.params if context else []
    return [name for parameter in parameters for name in parameter.opts if name.startswith("--")]


def _say(message: str, code: int) -> int:
    say(f"error: {message}" if code != INTERRUPTED else message)
    return code

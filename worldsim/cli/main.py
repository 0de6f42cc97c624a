"""``worldsim COMMAND key=value ...``: finds the command, fills its config, runs it, words its errors.

Exit codes: 0 done, 1 the machine or the numbers refused (disk, missing extra, diverged), 2 wrong input,
130 interrupted.
``WORLDSIM_DEBUG=1`` shows tracebacks and debug logging.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Sequence

from worldsim.cli.command import Command, commands
from worldsim.cli.help import command_help, general_help, result_lines
from worldsim.cli.origin import check_siblings
from worldsim.errors import choose
from worldsim.say import say

INTERRUPTED = 130
HELP = ("--help", "-h", "help")
MULTIRUN = ("--multirun", "-m")
"""Flags that make one command many, as Hydra's do; see ``worldsim.cli.sweep``."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; every expected failure is one message on stderr."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    debug = os.environ.get("WORLDSIM_DEBUG", "") not in ("", "0")
    logging.basicConfig(level=logging.DEBUG if debug else logging.INFO, format="%(message)s")
    try:
        return _dispatch(arguments)
    except KeyboardInterrupt:
        _complain("interrupted; what was finished is kept, and the same command goes on from there")
        return INTERRUPTED
    except BrokenPipeError:  # the reader of a pipe left, as in `worldsim info | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except (ValueError, OSError, ImportError, ArithmeticError) as error:
        if debug:
            raise
        _complain(str(error) or type(error).__name__)
        return 2 if isinstance(error, ValueError) else 1


def _dispatch(arguments: list[str]) -> int:
    check_siblings()
    known, broken = commands()
    if not arguments or (arguments[0] in HELP and len(arguments) == 1):
        say(general_help(known, broken))
        return 0
    if arguments[0] == "--version":
        from importlib.metadata import version

        say(f"worldsim {version('worldsim')}")
        return 0
    if arguments[0] in HELP:  # worldsim help train-tokenizer
        arguments = [*arguments[1:], "--help"]
    for each in broken:
        if each.name == arguments[0]:
            raise ValueError(f"the command {each.name!r} could not be loaded from {each.reason}")
    command = known[choose(arguments[0].replace("_", "-"), known, "command")]
    return _run(command, arguments[1:])


def _run(command: Command, arguments: list[str]) -> int:
    from worldsim.config import compose, load, stacked

    if set(MULTIRUN) & set(arguments) and not set(HELP) & set(arguments):
        from worldsim.cli.sweep import sweep

        return sweep(command, [argument for argument in arguments if argument not in MULTIRUN])
    overrides = [argument for argument in arguments if argument not in (*HELP, *MULTIRUN)]
    schema = command.schema()
    if len(overrides) < len(arguments):
        values = stacked(compose(schema, command.config_name, overrides))
        say(command_help(command, schema, values))
        return 0
    result = command.runner()(load(schema, command.config_name, overrides))
    for line in result_lines(result):
        say(line)
    if getattr(result, "interrupted", False):  # a training run that a signal stopped and that saved itself
        return INTERRUPTED
    return result if isinstance(result, int) else 0


def _complain(message: str) -> None:
    print(f"worldsim: {message}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())

"""Entry point of the command line: one verb per module, one line per error."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Annotated

import typer

import genoken
from genoken.cli import (
    check,
    compare,
    demo,
    devices,
    embed,
    evaluate,
    explain,
    pack,
    predict,
    pretrain,
    report,
    simulate,
    successors,
    train,
    variants,
)
from genoken.cli import next as next_cell
from genoken.cli.stop import Stopped, stoppable
from genoken.core.errors import GenokenError

_UsageError: type[Exception] = typer.BadParameter.__mro__[1]  # versions of typer keep the class in different places

app = typer.Typer(
    name="genoken",
    help="Train, evaluate and explain transformers over genes as tokens, beside their honest rivals.",
    epilog="A file's first steps: genoken check cells.h5ad --label cell_type, then the command that it suggests.",
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    add_completion=False,
)
for _module in (
    check,
    pack,
    successors,
    train,
    pretrain,
    evaluate,
    compare,
    predict,
    next_cell,
    embed,
    explain,
    variants,
    report,
    devices,
    simulate,
    demo,
):
    app.command(name=_module.__name__.rsplit(".", 1)[-1])(_module.command)


@app.callback(invoke_without_command=True)
def root(
    context: typer.Context,
    version: Annotated[bool, typer.Option("--version", metavar=" ", help="Print the version.", is_eager=True)] = False,
) -> None:
    """Train, evaluate and explain transformers over genes as tokens, beside their honest rivals."""
    if version:
        typer.echo(f"genoken {genoken.__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code.

    0: done; 2: bad input, said in one line on stderr; 130 and 143: stopped by Ctrl-C and SIGTERM. Anything else that goes wrong is
    a defect of genoken, and its traceback is shown.

    Parameters
    ----------
    arguments
        Words after ``genoken``; those of the process by default.
    """
    try:
        with stoppable(), _plain_logging():
            code = typer.main.get_command(app).main(
                list(sys.argv[1:] if arguments is None else arguments), prog_name="genoken", standalone_mode=False
            )
            sys.stdout.flush()
        return code if isinstance(code, int) else 0
    except GenokenError as error:
        return _refuse(str(error))
    except _UsageError as error:
        return _refuse(_usage(error))
    except (typer.Abort, KeyboardInterrupt):
        return _say("stopped", 130)
    except Stopped as stopped:
        return _say(str(stopped), stopped.exit_code)
    except BrokenPipeError:
        if _stdout_is_open():
            raise
        return 1


def _refuse(line: str) -> int:
    return _say(f"error: {' '.join(line.split())}", 2)


def _say(line: str, code: int) -> int:
    typer.echo(f"genoken: {line}", err=True)
    return code


def _usage(error: Exception) -> str:
    """Return a usage error as one line, with the nearest names and the page that lists all."""
    names = getattr(error, "possibilities", None)
    line = str(getattr(error, "message", "")) if names else error.format_message()  # type: ignore[attr-defined]
    nearest = f", did you mean {' or '.join(sorted(names))}?" if names else ""
    context = getattr(error, "ctx", None)
    page = f"{context.command_path} --help" if context is not None else "genoken --help"
    return f"{line.rstrip('.')}{nearest} — see {page}"


def _stdout_is_open() -> bool:
    """Whether stdout still has a reader; if not, it is pointed at nothing, so that the interpreter's last flush is silent."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return False
    return True


@contextlib.contextmanager
def _plain_logging() -> Iterator[None]:
    """Keep the chatter of libraries off the terminal unless a command's ``--log-level`` asks for it, and undo that at the end."""
    before = logging.root.manager.disable
    logging.disable(logging.INFO)
    try:
        yield
    finally:
        logging.disable(before)

"""Find the command in the arguments (`show` unless another is named), and turn errors into one line."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from contextlib import suppress
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from batchata.errors import BatchataError
from batchata.text import clean, did_you_mean, shown

RunId = Annotated[
    str | None, typer.Option("--run", metavar="ID", help="Which run, if the log holds several.")
]


def _flush() -> None:
    if sys.stdout is not None:  # closed by `>&-`
        sys.stdout.flush()


def damaged(arguments: Iterable[str]) -> str | None:
    """Describe the damage of the first log among a command's arguments; None when it is undamaged."""
    from batchata.log import place_of, read_log
    from batchata.log.verify import verify

    for path in arguments:
        if not os.path.isfile(path) and "://" not in path:  # noqa: PTH113 - Path.is_file raises for a long name
            continue
        try:
            log = read_log(path)
        except BatchataError:
            continue
        try:
            for text in log.faults():
                return f"{place_of(path)} is damaged ({text}); `verify` says more"
            for stream in log.streams():
                for problem in verify(log, stream, 1 << 62):
                    return f"{place_of(path)} is damaged ({problem.text}); `verify` says more"
        except BatchataError as exc:
            return str(exc)
        finally:
            log.close()
    return None


# Typer brings its own copy of click, or uses the installed one, by version; its public errors derive from it.
_UsageError: Any = typer.BadParameter.__bases__[0]
_INTERRUPTED = 130  # as shells count it: 128 and the signal's number
_OF_THE_GROUP = ("--help", "--version", "--install-completion", "--show-completion")


class ReplayGroup(TyperGroup):
    """Commands that may be left out (`LOG`) or follow the log (`LOG events`)."""

    speaker = "batchata.replay"  # whose messages these are
    default: str | None = "show"  # the command that is meant where none is named

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Put the command first; a file named like a command is written as ./show."""
        if args and args[0] not in (*self.commands, *_OF_THE_GROUP):
            self._refuse_misspelt(args)
            follows = args[1:2] and args[1] in self.commands and not args[0].startswith("-")
            lead = [] if self.default is None else [self.default]
            args = [args[1], args[0], *args[2:]] if follows else [*lead, *args]
        return super().parse_args(ctx, args)

    def _refuse_misspelt(self, args: list[str]) -> None:
        """Refuse a word that is no file and is meant as a command: it resembles one, or a log follows it.

        Raises typer.Exit.
        """
        word = args[0]
        if word.startswith("-") or {".", "/", os.sep}.intersection(word) or os.path.lexists(word):
            return
        if meant := did_you_mean(word, self.commands):
            raise self._ended(f"there is no command {word!r}; {meant}")
        if args[1:2] and os.path.isfile(args[1]):  # noqa: PTH113 - as in `damaged`
            raise self._ended(f"there is no command {word!r}; there are {', '.join(sorted(self.commands))}")

    def invoke(self, ctx: Any) -> Any:
        """Run the command; an expected error is one line and exit code 2."""
        arguments = [*ctx.args]  # invoking takes them away
        try:
            result = super().invoke(ctx)
            # Here and not when the interpreter ends: only here a closed pipe (`| head`) ends quietly.
            _flush()
        except KeyboardInterrupt as exc:  # how --watch and --follow are ended, and runs are left
            _flush()
            if str(exc):
                typer.echo(f"{self.speaker}: {exc}", err=True)
            raise typer.Exit(_INTERRUPTED) from exc
        except BatchataError as exc:
            raise self._ended(
                "\n".join([exc.in_a_shell or str(exc), *getattr(exc, "__notes__", [])])
            ) from exc
        except _UsageError as exc:
            raise self._ended(f"{exc.format_message().removesuffix('.')}; see --help") from exc
        except (LookupError, ArithmeticError, AssertionError, AttributeError, TypeError, ValueError) as exc:
            # A changed byte can turn an event into another valid one. In a whole log it is a mistake of ours.
            told = damaged(arguments)
            if told is None:
                raise
            raise self._ended(told) from exc
        except OSError as exc:
            if isinstance(exc, BrokenPipeError):
                raise
            if exc.filename is not None:
                raise self._ended(f"{shown(exc.filename)}: {exc.strerror}") from exc
            raise self._unwritable(exc) from exc
        return result

    def _unwritable(self, exc: OSError) -> typer.Exit:
        """Say that the output cannot be written, and leave none to be flushed when the interpreter ends."""
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return self._ended(f"the output cannot be written ({exc.strerror or exc})")

    def _ended(self, message: str) -> typer.Exit:
        _flush()
        typer.echo(f"{self.speaker}: {self._written(message)}", err=True)
        return typer.Exit(2)

    def _written(self, message: str) -> str:
        return clean(message)

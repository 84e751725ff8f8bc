"""Serve on the command line until told to stop: `python -m batchata.sandbox`."""

from __future__ import annotations

import argparse
import importlib
import json
import logging
import shlex
import signal
import sys
from pathlib import Path
from threading import Event
from typing import Any

from batchata.errors import BatchataError, InvalidInputError
from batchata.sandbox.faults import Faults
from batchata.sandbox.sandbox import LIKE_OPENAI, Sandbox

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; 2 when the sandbox cannot start as asked."""
    options = _parser().parse_args(arguments)
    if options.verbose:
        logging.basicConfig(level=logging.DEBUG, format="%(asctime)s %(name)s %(message)s")
    try:
        sandbox = _sandbox(options).start()
    except BatchataError as exc:
        sys.stderr.write(f"batchata.sandbox: {exc}\n")
        return 2
    except (OSError, OverflowError) as exc:
        sys.stderr.write(f"batchata.sandbox: {_unusable(exc, options)}\n")
        return 2
    # Installed before the address can be known, so that no signal finds the default behaviour.
    stopped = Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    _announce(sandbox, options.ready_file)
    stopped.wait()
    sandbox.stop()
    return 0


def _unusable(exc: OSError | OverflowError, options: argparse.Namespace) -> str:
    """Say what of the address or the folder cannot be used."""
    if isinstance(exc, OSError) and exc.filename is not None:
        return f"--state {options.state} cannot be used ({exc.strerror}); give a folder"
    why = exc.strerror if isinstance(exc, OSError) else "ports are numbers from 0 to 65535"
    return f"--host {options.host} --port {options.port} cannot be used ({why}); --port 0 takes a free one"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m batchata.sandbox",
        description=(
            "An offline simulation of the batch APIs of Anthropic, OpenAI, Gemini and services like OpenAI's "
            f"({', '.join(LIKE_OPENAI)}). Nothing is sent or billed. Ctrl-C stops it."
        ),
    )
    parser.add_argument(
        "--port", type=int, default=8787, help="where to listen; 0 takes a free port (default: %(default)s)"
    )
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen at (default: %(default)s)")
    parser.add_argument("--allow-remote", action="store_true", help="listen beyond loopback")
    parser.add_argument("--state", metavar="DIR", help="keep batches here across restarts")
    parser.add_argument(
        "--delay", type=float, default=0.0, metavar="S", help="seconds until a batch has ended"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=0,
        metavar="N",
        help="of the order of result lines: the same seed, the same order",
    )
    parser.add_argument(
        "--answers",
        metavar="MODULE:FUNCTION",
        help="what answers a Request (default: a simple reader of its documents)",
    )
    parser.add_argument("--style", default="plain", help="how that reader writes its answers: plain or mixed")
    parser.add_argument("--ready-file", metavar="PATH", help="write the address here when it is ready")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="what is to go wrong, such as errored=[0]: a field of batchata.sandbox.Faults, as JSON; "
        "may be repeated",
    )
    parser.add_argument("--verbose", action="store_true", help="log every call")
    return parser


def _sandbox(options: argparse.Namespace) -> Sandbox:
    return Sandbox(
        _answers(options.answers),
        style=options.style,
        delay=options.delay,
        faults=_faults(options.fault),
        state=options.state,
        port=options.port,
        host=options.host,
        seed=options.seed,
        allow_remote=options.allow_remote,
    )


def _answers(name: str | None) -> Any:
    if name is None:
        return None
    module, _, attribute = name.partition(":")
    if not (module and attribute):
        raise InvalidInputError(f"--answers {name} is not of the form MODULE:FUNCTION, such as answers:reply")
    sys.path.insert(0, "")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError) as exc:
        raise InvalidInputError(f"--answers {name}: {exc}") from exc


def _faults(settings: list[str]) -> Faults:
    faults = Faults()
    for setting in settings:
        name, is_there, value = setting.partition("=")
        if not is_there:
            raise InvalidInputError(f"--fault {setting} is not of the form NAME=VALUE, such as errored=[0]")
        try:
            faults.update({name: _value(value)})
        except KeyError as exc:
            raise InvalidInputError(f"--fault {setting}: {exc.args[0]}") from exc
    return faults


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _announce(sandbox: Sandbox, ready_file: str | None) -> None:
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sandbox.environment.items())
    sys.stdout.write(f"# simulation at {sandbox.url}; a script finds it by these variables:\n{exports}")
    sys.stdout.flush()
    if ready_file is not None:
        # Renamed into place: what waits for the file never reads half of it.
        temporary = Path(f"{ready_file}.tmp")
        temporary.write_text(sandbox.url, "utf-8")
        temporary.replace(ready_file)

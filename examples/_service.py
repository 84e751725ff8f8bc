"""Where an example sends its requests: to a sandbox in this process or, with --live, to the real service."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

from dotenv import dotenv_values

from batchata.errors import BatchataError, NotALogError, RunMismatchError
from batchata.providers.address import redacted
from batchata.sandbox import Sandbox

DOCUMENTS = Path(__file__).resolve().parent / "documents"
_KEY = "ANTHROPIC_API_KEY"
_MOVING = (
    "ANTHROPIC_BASE_URL",
    "ANTHROPIC_CUSTOM_HEADERS",
    "ANTHROPIC_PROFILE",
    "ANTHROPIC_CONFIG_DIR",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "SSL_CERT_FILE",
)
_NO = ("", "0", "no", "false", "off")


@dataclass(frozen=True, slots=True)
class Service:
    """What an example talks to: `folder` is for its log and results, `sandbox` is None when live."""

    folder: Path
    sandbox: Sandbox | None


@contextmanager
def service(live: bool | None = None, folder: Path | None = None, **sandbox: Any) -> Iterator[Service]:
    """Run the block against the sandbox (with these options), or against the real service.

    `live` is asked from the command line and LIVE=1 when it is None. Without a `folder`, the sandbox gets a
    temporary one, and the real service out/<name of the script>, where a second start continues.
    Errors that a user can do something about end the script with one line: status 2 without a key, else 1.
    """
    live = is_live() if live is None else live
    if live:
        folder = folder or Path("out") / Path(sys.argv[0]).stem
        _check_live(folder)
        with readable_errors(folder):
            yield Service(folder, None)
        return
    with readable_errors(folder), ExitStack() as stack:
        folder = folder or Path(stack.enter_context(TemporaryDirectory(prefix="batchata-")))
        running = stack.enter_context(Sandbox(**sandbox))
        stack.enter_context(_environment(running))
        print("Offline: a sandbox on this machine answers; no key, nothing is billed.\n", flush=True)
        yield Service(folder, running)


@contextmanager
def readable_errors(kept: Path | None) -> Iterator[None]:
    """One line instead of a traceback; `kept` is the folder in which the run goes on when started again."""
    try:
        yield
    except BatchataError as exc:
        # Only where the log is of no use for this script: a log of paid answers is not to be deleted.
        useless = kept is not None and isinstance(exc, NotALogError | RunMismatchError)
        afresh = f"\nTo start afresh: rm -r {kept}" if useless else ""
        print(f"{type(exc).__name__}: {exc}{afresh}", file=sys.stderr)
        raise SystemExit(1) from exc
    except KeyboardInterrupt:
        again = "" if kept is None else f" Start it again: it continues from the log in {kept}."
        print(f"\nStopped.{again}", file=sys.stderr)
        raise SystemExit(130) from None


def is_live() -> bool:
    """Whether --live or LIVE=1 was given."""
    about = (sys.modules["__main__"].__doc__ or "").strip()
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--live", action="store_true", help="the real service; needs ANTHROPIC_API_KEY")
    return bool(parser.parse_args().live) or os.environ.get("LIVE", "").lower() not in _NO


def _check_live(folder: Path) -> None:
    """Require a key, and the user's knowledge that it costs."""
    _take_key(Path(".env"))
    if not os.environ.get(_KEY):
        _refuse(f"--live needs {_KEY}, in the environment or in a file .env")
    folder.mkdir(parents=True, exist_ok=True)
    place = redacted(os.environ.get("ANTHROPIC_BASE_URL") or "https://api.anthropic.com")
    print(
        f"Live: {place} answers, usually within an hour, at the latest in 24.\n"
        f"It costs money, at most $1.00 (max_cost). The log is in {folder}:\n"
        "stop it when you like, and start it again to continue.\n",
        flush=True,
    )


def _take_key(file: Path) -> None:
    """Read the key from this folder's `.env`, and from nowhere else but the environment.

    A file above this folder may be anybody's, so that none is looked for there.
    """
    try:
        said = dotenv_values(file)
    except (OSError, ValueError) as exc:
        _refuse(f"{file} cannot be read: {exc}")
    moving = [name for name in said if name.upper() in _MOVING and not os.environ.get(name)]
    if moving:
        _refuse(
            f"--live: {file} sets {', '.join(moving)}, which moves where the key and the documents go; "
            "if that is meant, set it in the environment, else take it out of the file"
        )
    key = said.get(_KEY)
    if key and not os.environ.get(_KEY):
        os.environ[_KEY] = key


def _refuse(why: str) -> NoReturn:
    print(why, file=sys.stderr)
    raise SystemExit(2)


@contextmanager
def _environment(sandbox: Sandbox) -> Iterator[None]:
    """Point the SDK's own variables to the sandbox; a proxy is not used for this machine."""
    ours = sandbox.environment
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value

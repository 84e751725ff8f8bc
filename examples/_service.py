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
from typing import Any

from dotenv import find_dotenv, load_dotenv

from batchata import BatchataError
from batchata.sandbox import Sandbox

DOCUMENTS = Path(__file__).resolve().parent / "documents"
_KEY = "ANTHROPIC_API_KEY"
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
    with _readable_errors(), ExitStack() as stack:
        if live:
            yield Service(_live(folder or Path("out") / Path(sys.argv[0]).stem), None)
            return
        folder = folder or Path(stack.enter_context(TemporaryDirectory(prefix="batchata-")))
        running = stack.enter_context(Sandbox(**sandbox))
        stack.enter_context(_environment(running))
        print("Offline: the sandbox on this machine answers. No key, no cost.\n", flush=True)
        yield Service(folder, running)


def is_live() -> bool:
    """Whether --live or LIVE=1 was given."""
    about = (sys.modules["__main__"].__doc__ or "").strip()
    parser = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("--live", action="store_true", help="the real service; needs ANTHROPIC_API_KEY")
    return bool(parser.parse_args().live) or os.environ.get("LIVE", "").lower() not in _NO


def _live(folder: Path) -> Path:
    load_dotenv(find_dotenv(usecwd=True))
    if not os.environ.get(_KEY):
        print(f"--live needs {_KEY}, in the environment or in a file .env", file=sys.stderr)
        raise SystemExit(2)
    folder.mkdir(parents=True, exist_ok=True)
    print(
        "Live: the real Message Batches API answers, usually within minutes, at the latest in 24 hours.\n"
        f"It costs money, at most $1.00 (max_cost). The log is in {folder}: start again to continue.\n",
        flush=True,
    )
    return folder


@contextmanager
def _environment(sandbox: Sandbox) -> Iterator[None]:
    """The SDK's own variables point to the sandbox; a proxy is not asked for this machine."""
    proxied = os.environ.get("NO_PROXY") or os.environ.get("no_proxy")
    exempt = ",".join(filter(None, [proxied, "127.0.0.1"]))
    ours = {"ANTHROPIC_BASE_URL": sandbox.url, _KEY: sandbox.api_key, "NO_PROXY": exempt, "no_proxy": exempt}
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


@contextmanager
def _readable_errors() -> Iterator[None]:
    try:
        yield
    except BatchataError as exc:
        print(f"{type(exc).__name__}: {exc}", file=sys.stderr)
        raise SystemExit(1) from exc
    except KeyboardInterrupt:
        print("\nStopped. What the log has is safe; what was sent is collected by the next start.", file=sys.stderr)
        raise SystemExit(130) from None

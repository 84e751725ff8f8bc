"""Whether a log was changed since it was written, when a command has stumbled over something in it."""

from __future__ import annotations

import os
from collections.abc import Iterable

from batchata.errors import BatchataError


def damaged(arguments: Iterable[str]) -> str | None:
    """What is wrong with the first log among a command's arguments; None when it is as it was written."""
    from batchata.log import read_log
    from batchata.log.verify import verify, verify_file

    for path in arguments:
        if not os.path.isfile(path):
            continue
        try:
            log = read_log(path)
        except BatchataError:
            continue
        try:
            for text in verify_file(log):
                return f"{path} is damaged ({text}); `verify` says more"
            for stream in log.streams():
                for problem in verify(log, stream, 1 << 62):
                    return f"{path} is damaged ({problem.text}); `verify` says more"
        except BatchataError as exc:
            return str(exc)
        finally:
            log.close()
    return None

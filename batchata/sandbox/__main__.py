"""Runs the command line of the sandbox."""

from __future__ import annotations

import sys

from batchata.sandbox.cli import main

if __name__ == "__main__":
    sys.exit(main())

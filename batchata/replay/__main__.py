"""Run the command line that explains a log."""

from __future__ import annotations

from batchata.replay.cli import main

if __name__ == "__main__":
    main()

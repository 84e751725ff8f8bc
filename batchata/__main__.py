"""Run `python -m batchata`, which is the `batchata` command."""

from __future__ import annotations

from batchata.cli.app import main

if __name__ == "__main__":
    main()

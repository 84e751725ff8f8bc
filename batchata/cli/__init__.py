"""The `batchata` command: runs without a line of Python, and everything that `batchata.replay` explains."""

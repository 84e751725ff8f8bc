"""How texts of a log, which anybody may have written, are made harmless to print."""

from batchata.text import clean, short

__all__ = ["clean", "short"]

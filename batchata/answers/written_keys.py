"""Compare keys as models write them: without case, white space, separators or quotation marks."""

from __future__ import annotations

import re
import unicodedata

# Models write "**total:**" and "`total`", too; the last of these signs take no room.
_IGNORED = re.compile(r"[\s_\-\\*.:?`'\"\u00ad\u200b-\u200f\u2060\ufeff]+")
_WORD = re.compile(r"[A-Z]+(?![a-z])|[^\W_A-Z\d][^\W_A-Z]*|[A-Z][^\W_A-Z]*|\d+")
_SHORT_WORD = 2  # characters, as of "of" and "id", which say nothing


def folded(key: str) -> str:
    """Reduce a key to a common form: no case, white space, separators or quotation marks."""
    key = key if key.isascii() else unicodedata.normalize("NFKC", key)
    return _IGNORED.sub("", key).casefold()


def words_of(name: str) -> list[str]:
    """Split a name into its words: lower case, without the shortest and without a plural's s."""
    return [word.casefold().removesuffix("s") for word in _WORD.findall(name) if len(word) > _SHORT_WORD]

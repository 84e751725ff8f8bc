"""The API's limits for one request, in bytes, pixels and tokens.

Sources: the PDF, vision and errors pages of platform.claude.com (August 2026). Whether the limit of a
single message request holds for a request inside a batch is not documented; it is taken to. The text limit
is from a recorded answer, "too many total text bytes: 10000002 > 9000000".
"""

from __future__ import annotations

from typing import Final

MAX_REQUEST_BYTES: Final = 32 * 1024 * 1024
MAX_TEXT_BYTES: Final = 9_000_000
MAX_IMAGE_BASE64_BYTES: Final = 10 * 1024 * 1024
MAX_IMAGE_PIXELS: Final = 8_000  # a side
MANY_IMAGES: Final = 20  # with more of them in a request
MAX_PIXELS_OF_MANY: Final = 2_000  # ... a side of each

# An envelope: keys, media type, a custom id of 64 characters; and the tokens that frame a turn.
ENVELOPE_BYTES: Final = 400
ENVELOPE_TOKENS: Final = 64
TURN_TOKENS: Final = 16

# "1,500-3,000 text tokens per page" is the documented range. Denser pages exist, and their content stream
# shows it: in a sample of 30 documents a page of text has 1.5 or more bytes of content stream per byte of
# text, and text no fewer than two bytes per token.
_PAGE_TEXT_TOKENS: Final = 3_000
_PAGE_TEXT_TOKENS_DENSE: Final = 12_000
_LEAST_TEXT_TOKENS: Final = 1_500
_LEAST_IMAGE_TOKENS: Final = 1_568
_A_PAGE_WITH_TEXT: Final = 500  # bytes of content stream; less is a blank page or a few words


def too_large(place: str, size: int) -> str:
    """What is said of a file whose request would be larger than the API takes."""
    return (
        f"{place} makes a request of more than {size:,} bytes (a file grows by a third when it is encoded); "
        f"at most {MAX_REQUEST_BYTES:,} are taken: split it or make it smaller"
    )


def base64_size(size: int) -> int:
    """The length of `size` bytes in base64."""
    return (size + 2) // 3 * 4


def page_text_tokens(content_bytes: int) -> int:
    """A bound of the text tokens of one PDF page, given the size of its content streams."""
    return min(max(_PAGE_TEXT_TOKENS, content_bytes // 3), _PAGE_TEXT_TOKENS_DENSE)


def least_page_tokens(content_bytes: int) -> int:
    """What one PDF page takes at least, as documented: 1,500 tokens of text if it has any, and its image.

    The image is counted at 1,568 tokens, the cap on older models; newer ones go up to 4,784.
    """
    return (_LEAST_TEXT_TOKENS if content_bytes >= _A_PAGE_WITH_TEXT else 0) + _LEAST_IMAGE_TOKENS


def image_token_bound(width: int, height: int, most: int) -> int:
    """The tokens of one image of that many pixels on a model that scales it down to `most` tokens."""
    return min(-(-width // 28) * -(-height // 28), most)

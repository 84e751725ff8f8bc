"""The limits of the Messages API for one request, in bytes, pixels and tokens.

Sources: the PDF, vision and errors pages of platform.claude.com (August 2026). Whether the limit of a
single message request holds for a request inside a batch is not documented; it is taken to. The text limit
is from a recorded answer, "too many total text bytes: 10000002 > 9000000".
"""

from __future__ import annotations

from typing import Final

from batchata.inputs.images import ImageRules
from batchata.inputs.pdf import PageRules
from batchata.providers.anthropic.models import Model

MAX_REQUEST_BYTES: Final = 32 * 1024 * 1024
MAX_TEXT_BYTES: Final = 9_000_000
IMAGE_RULES: Final = ImageRules(most_pixels=8_000, most_base64=10 * 1024 * 1024)
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
_COMPOSITE: Final = 1.4  # tokens of one character of Chinese on models since Claude 4.7, and a little more
_A_PAGE_WITH_TEXT: Final = 500  # bytes of content stream; less is a blank page or a few words


def page_rules(model: Model) -> PageRules:
    """Return how much PDF a request to the model takes."""
    return PageRules(model.pdf_pages, model.context_window, least_page_tokens, page_text_tokens, _COMPOSITE)


def page_text_tokens(content_bytes: int) -> int:
    """Bound the text tokens of one PDF page, given the size of its content streams."""
    return min(max(_PAGE_TEXT_TOKENS, content_bytes // 3), _PAGE_TEXT_TOKENS_DENSE)


def least_page_tokens(content_bytes: int) -> int:
    """Return the fewest tokens of one PDF page, as documented: 1,500 of text if it has any, and its image.

    The image is counted at 1,568 tokens, the cap on older models; newer ones go up to 4,784.
    """
    return (_LEAST_TEXT_TOKENS if content_bytes >= _A_PAGE_WITH_TEXT else 0) + _LEAST_IMAGE_TOKENS


def image_token_bound(width: int, height: int, most: int) -> int:
    """Return the tokens of an image of so many pixels on a model that scales it down to `most` tokens."""
    return min(-(-width // 28) * -(-height // 28), most)

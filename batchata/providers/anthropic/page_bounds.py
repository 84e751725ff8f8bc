"""Bound how many tokens a page or an image of a request has, from above and below."""

from __future__ import annotations

from typing import Final

from batchata.inputs.pdf import PageRules
from batchata.providers.anthropic.models import Model

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

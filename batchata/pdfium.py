"""Serialise the use of PDFium in this process, closing included."""

from __future__ import annotations

import threading

PDFIUM = threading.Lock()

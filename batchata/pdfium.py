"""The lock under which a process uses PDFium, one thread at a time, also for closing."""

from __future__ import annotations

import threading

PDFIUM = threading.Lock()

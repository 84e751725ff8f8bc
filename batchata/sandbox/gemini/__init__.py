"""Gemini's Batch API as the sandbox speaks it: files, operations made of them, a file of results."""

"""The Batch API of Google's Gemini, by its REST protocol: requests, result lines and calls."""

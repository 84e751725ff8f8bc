"""Anthropic's Message Batches API: the only place that imports the anthropic SDK."""

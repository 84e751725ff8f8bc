"""Providers of batches: the port, the model table, prices, and Anthropic."""

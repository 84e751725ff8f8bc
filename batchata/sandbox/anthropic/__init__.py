"""Serve the Message Batches protocol: routes, validation, result lines."""

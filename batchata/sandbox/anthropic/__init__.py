"""The Message Batches protocol as the sandbox serves it: routes, validation, result lines."""

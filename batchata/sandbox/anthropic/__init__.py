"""The Message Batches protocol as the sandbox serves it: routes, validation, batches, result lines."""

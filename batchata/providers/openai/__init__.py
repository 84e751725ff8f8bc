"""OpenAI's Batch API and the services that speak it: requests, result lines, calls, and batches by hand."""

"""OpenAI's Batch API: what its requests and result lines look like. A client is still to come."""

"""Encode requests and decode result lines of OpenAI's Batch API. A client is still to come."""

"""The Batch API of OpenAI as the sandbox speaks it: files, batches made of them, two files of results."""

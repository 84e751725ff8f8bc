"""A run as one HTML file that opens from disk, for somebody who has neither the log nor Batchata."""

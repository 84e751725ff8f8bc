"""A run as one HTML file that opens from disk, for readers who have neither the log nor Batchata."""

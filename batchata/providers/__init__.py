"""Providers of batches: the port that all are driven through, their prices, and a room for each."""

"""Providers of batches: the port that drives all of them, their prices, and a package for each."""

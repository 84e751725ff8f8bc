"""Batchata: durable batch jobs for Claude."""

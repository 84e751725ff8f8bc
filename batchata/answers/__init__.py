"""From answers to results: schemas on the way out, text, JSON and citations on the way back. Pure."""

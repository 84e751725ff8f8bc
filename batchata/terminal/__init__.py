"""Show a person how a run goes on and how it ended."""

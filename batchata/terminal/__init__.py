"""Show a person how a run is going and how it ended."""

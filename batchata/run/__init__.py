"""How a run is driven: what defines it, the loop, what workers do, and what their reports mean."""

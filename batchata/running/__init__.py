"""Driving a run: the loop, what workers do, and what their reports mean."""

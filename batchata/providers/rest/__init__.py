"""HTTP as every provider has it: sockets, bounds, failures, lines of results; and a client without an SDK."""

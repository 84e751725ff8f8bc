"""The command line that explains what a log holds, to somebody who was not there; it never calls a provider."""

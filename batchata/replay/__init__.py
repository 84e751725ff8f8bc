"""The command line that explains a log to somebody who was not there; it never calls a provider."""

"""Name the kinds of errors that runs act on, whatever their provider calls them; logs hold these words."""

INVALID = "invalid_request_error"  # the same request would be refused again
UNAUTHENTICATED = "authentication_error"
FORBIDDEN = "permission_error"
NOT_FOUND = "not_found_error"
RATE_LIMITED = "rate_limit_error"
OVERLOADED = "overloaded_error"
TIMED_OUT = "timeout_error"
FAULT = "api_error"  # one of the service itself
SPENT = "billing_error"  # the account may not spend any more
QUEUE_FULL = "queue_full"  # the provider has no room for a batch at present
TOO_LARGE = "request_too_large"  # the job, or its only request
INCOMPLETE = "incomplete_results"  # their lines are fewer than the requests
BROKEN_OFF = "broken_off"  # the answer, by the service; the next one may be whole
ODD_REPLY = "odd_reply"  # the service's, and not what it says of itself

# What the same request would meet again, where a provider names no other kinds.
REFUSALS = (UNAUTHENTICATED, INVALID, NOT_FOUND, FORBIDDEN)

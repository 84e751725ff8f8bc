"""The event log in a PostgreSQL database, which several hosts may share."""

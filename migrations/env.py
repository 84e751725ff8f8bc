"""How Alembic runs the log's migrations: on the connection and in the transaction of the library."""

from alembic import context

# No logging is configured here: that is for the program that uses the library.
context.configure(connection=context.config.attributes["connection"], render_as_batch=False)
context.run_migrations()

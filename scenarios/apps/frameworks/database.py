"""What the apps ask PostgreSQL, and over how many connections: the same for all, so that only the frameworks differ.

PGHOST, PGUSER and PGDATABASE say where it is, as everywhere with libpq. CONNECTIONS are divided among WORKERS processes.
"""

import os

WORKERS = int(os.environ.get("WORKERS", "1"))
# Of one process.
CONNECTIONS = max(1, int(os.environ.get("CONNECTIONS", "8")) // WORKERS)
# Of a fixed size, so that a load does not begin with opening connections.
POOL = {"min_size": CONNECTIONS, "max_size": CONNECTIONS, "kwargs": {"autocommit": True}, "open": False}

LOOKUP = "SELECT id, name, price FROM item WHERE id = %s"
# The same row from a database that takes its time.
SLOW_LOOKUP = "SELECT id, name, price, pg_sleep(%s) FROM item WHERE id = %s"
# All workers are there when all their connections are. Without this, the first to start would answer for the others.
ARE_ALL_THERE = "SELECT count(*) >= %s FROM pg_stat_activity WHERE backend_type = 'client backend'", (CONNECTIONS * WORKERS,)


def query(item, sleep):
    """The statement and its parameters; `sleep` in seconds."""
    return (SLOW_LOOKUP, (sleep, item)) if sleep > 0 else (LOOKUP, (item,))


def page(row):
    """A row as it is shown."""
    return {"id": row[0], "name": row[1], "price": row[2]}

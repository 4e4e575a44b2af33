"""Flask: a plain view, which blocks its worker or its thread while PostgreSQL works."""

import database
from flask import Flask, abort, request
from psycopg_pool import ConnectionPool

pool = ConnectionPool(**database.POOL)
pool.open(wait=True)
app = Flask(__name__)


def first(statement, parameters):
    with pool.connection() as connection:
        return connection.execute(statement, parameters).fetchone()


@app.get("/item/<int:item>")
def show(item):
    sleep = request.args.get("sleep", 0.0, type=float)
    row = first(*database.query(item, sleep))
    return database.page(row) if row else abort(404)


@app.get("/health")
def health():
    return ("ok\n", 200) if first(*database.ARE_ALL_THERE)[0] else ("not yet\n", 503)

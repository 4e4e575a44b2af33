# locate: write=sqlite_connection.py:16 read=sqlite_connection.py:17|sqlite_connection.py:18 object=?
# run: ["{bin}/gunicorn", "-k", "gthread", "--threads", "4", "-b", "127.0.0.1:{port}", "sqlite_connection:app"]
# show: {"how": "sequence", "path": "/?user={canary}"}
"""A temporary table of a database connection that all requests share."""
import sqlite3

from flask import Flask, request

app = Flask(__name__)
connection = sqlite3.connect(":memory:", check_same_thread=False)
connection.execute("create table visits (name text)")


@app.get("/")
def home():
    connection.execute("insert into visits values (?)", (request.args["user"],))
    rows = connection.execute("select name from visits order by rowid").fetchall()
    return "<br>".join(name for (name,) in rows)

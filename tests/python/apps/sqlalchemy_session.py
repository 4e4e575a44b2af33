# locate: write=sqlalchemy_session.py:28 read=sqlalchemy_session.py:29 object=?
# run: ["{bin}/gunicorn", "-k", "gthread", "--threads", "1", "-b", "127.0.0.1:{port}", "sqlalchemy_session:app"]
# show: {"how": "sequence", "path": "/drafts?user={canary}"}
"""A session of SQLAlchemy that nobody removes: drafts of who came before are still in it."""
from flask import Flask, request
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, scoped_session, sessionmaker

app = Flask(__name__)


class Base(DeclarativeBase):
    pass


class Draft(Base):
    __tablename__ = "draft"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


Session = scoped_session(sessionmaker(create_engine("sqlite://"), autoflush=False))


@app.get("/drafts")
def drafts():
    draft = Draft(text=f"a letter by {request.args['user']}")
    Session.add(draft)
    return "\n".join(sorted(draft.text for draft in Session.new))

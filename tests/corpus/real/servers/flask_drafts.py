"""A page on Flask with a scoped session of SQLAlchemy, which is one for each thread.

`/drafts/` shows what is to be saved. Nobody removes the session, so a draft stays in it when a request fails.
`/own/drafts/` removes it."""

from flask import Flask, request
from sqlalchemy import create_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, scoped_session, sessionmaker
from sqlalchemy.pool import StaticPool

app = Flask(__name__)


class Base(DeclarativeBase):
    pass


class Draft(Base):
    __tablename__ = "draft"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]


engine = create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})
Base.metadata.create_all(engine)
Session = scoped_session(sessionmaker(engine, autoflush=False))


def drafts():
    Session.add(Draft(text=f"a letter by {request.args.get('user', 'nobody')}"))
    page = int(request.args.get("page", "1"))
    texts = sorted(draft.text for draft in Session.new)
    Session.rollback()
    return f"page {page}\n" + "\n".join(texts) + "\n"


@app.get("/drafts/")
def leaves_drafts():
    return drafts()


@app.get("/own/drafts/")
def removes_drafts():
    try:
        return drafts()
    finally:
        Session.remove()

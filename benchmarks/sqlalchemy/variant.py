"""The SQLAlchemy variant of docs/options/sqlalchemy.md, with a mapped class, connected when the function starts."""

import json
import os
import uuid
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from lambda_src.database.settings import Settings
from lambda_src.sqlalchemy.engine import make_engine


class Base(DeclarativeBase):
    """Of what is mapped."""


class Project(Base):
    """A project, as its table has it."""

    __tablename__ = "project"

    tenant: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


engine = make_engine(Settings.from_environment(os.environ))
engine.connect().close()


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Read one project."""
    tenant, id = event["pathParameters"]["tenant"], uuid.UUID(event["pathParameters"]["id"])
    with Session(engine) as session:
        found = session.scalars(select(Project).where(Project.tenant == tenant, Project.id == id)).one_or_none()
        if found is None:
            return {"statusCode": 404, "body": "{}"}
        columns = {name: getattr(found, name) for name in Project.__table__.columns.keys()}  # noqa: SIM118
        return {"statusCode": 200, "body": json.dumps(columns, default=str)}

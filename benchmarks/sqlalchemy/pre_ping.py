"""SQLAlchemy on psycopg2 with pool_pre_ping, and a boto3 token for each connect."""

from typing import Any

from sqlalchemy import create_engine, event, text

from benchmarks.projects.baselines.rds_token import token
from benchmarks.projects.baselines.sample import COLUMNS, DATABASE, HOST, PORT, TLS, USER, answer, key

engine = create_engine(
    f"postgresql+psycopg2://{USER}@{HOST}:{PORT}/{DATABASE}", pool_pre_ping=True, pool_recycle=600, connect_args=TLS
)
QUERY = text(f"SELECT {', '.join(COLUMNS)} FROM project WHERE tenant = :tenant AND id = :id")  # noqa: S608 (constants)


@event.listens_for(engine, "do_connect")
def with_token(_dialect: Any, _record: Any, _arguments: Any, parameters: dict[str, Any]) -> None:
    """Log in with a token made now."""
    parameters["password"] = token()


def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Read one project."""
    tenant, id = key(event)
    with engine.connect() as connection:
        return answer(connection.execute(QUERY, {"tenant": tenant, "id": id}).one_or_none())

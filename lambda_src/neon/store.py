"""Projects in a PostgreSQL outside the account: the statements of postgres_store, on another way to the database."""

from lambda_src.database.store import Database, Postgres
from lambda_src.neon.settings import Settings
from lambda_src.projects.postgres_store import ProjectStore


def connect() -> Postgres[ProjectStore]:
    """The backend that the function's environment variables tell of."""
    settings = Settings.from_environment()
    return Postgres(_database(settings), settings.deadline, ProjectStore)


def _database(settings: Settings) -> Database:
    """One or the other is imported: psycopg takes a cold start's time, and SQL over HTTP needs none of it."""
    if settings.mode == "http":
        from lambda_src.neon import http

        return http.Database(settings)
    from lambda_src.database import connection

    return connection.Database(settings)

"""PostgreSQL as the store of the API's resources, on whatever way leads to it."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Generic, LiteralString, Protocol, TypeVar

from lambda_src.api.backend import StoreUnavailable
from lambda_src.database.figures import Figures
from lambda_src.database.settings import Settings
from lambda_src.database.unavailable import DatabaseUnavailable
from lambda_src.deadline import Context, Deadline

Row = tuple[Any, ...]


class Session(Protocol):
    """Statements of one request, on whatever way to PostgreSQL; lambda_src.database.Session is one."""

    uncertain: bool

    def one(self, query: LiteralString, parameters: Mapping[str, Any], *, idempotent: bool) -> Row | None:
        """The first row that a statement returns, or None; raises DatabaseUnavailable."""


class Database(Protocol):
    """What an execution environment keeps of a way to PostgreSQL; lambda_src.database.Database is one."""

    figures: Figures

    def warm_up(self) -> None:
        """Be ready for the first request, if that can be."""

    def session(self, deadline: Deadline) -> AbstractContextManager[Session]:
        """What one request may use."""


class PostgresStore:
    """What one request may ask of PostgreSQL; other errors of the database pass through as psycopg raises them.

    A resource that has methods derives from it, one that has functions takes it as it is.
    """

    def __init__(self, session: Session) -> None:
        self._session = session

    @property
    def uncertain(self) -> bool:
        """Whether the answer to a statement of this request was lost, so that it may have been carried out twice."""
        return self._session.uncertain

    def ping(self) -> None:
        """Return when the database answers."""
        self.one("SELECT 1", {})

    def one(self, statement: LiteralString, parameters: Mapping[str, Any]) -> Row | None:
        """The first row that a statement returns, or None, or raise StoreUnavailable. It may be carried out twice."""
        try:
            return self._session.one(statement, parameters, idempotent=True)
        except DatabaseUnavailable as error:
            raise StoreUnavailable(str(error)) from error


S = TypeVar("S", bound=PostgresStore)


class Postgres(Generic[S]):
    """The backend: one database, for every request of the execution environment; `deadline` is a request's, seconds."""

    def __init__(self, database: Database, deadline: float, store: type[S]) -> None:
        self._database = database
        self._deadline = deadline
        self._store = store

    def warm_up(self) -> None:
        """Connect while the function initialises, when CPU is free; a failure is tried again on use."""
        self._database.warm_up()

    @contextmanager
    def store(self, context: Context) -> Iterator[S]:
        """The store of one request, within the invocation's time."""
        with self._database.session(Deadline.of(context, self._deadline)) as session:
            yield self._store(session)

    def figures(self) -> dict[str, Any]:
        """Fields for the request's log line: what it cost. Counting starts anew."""
        figures, self._database.figures = self._database.figures, Figures()
        return figures.as_log_fields()


def backend(store: type[S]) -> Postgres[S]:
    """The backend that the function's environment variables tell of, each request with a store of this class."""
    from lambda_src.database import connection  # psycopg: another way to PostgreSQL may do without

    settings = Settings.from_environment()
    return Postgres(connection.Database(settings), settings.deadline, store)


def connect() -> Postgres[PostgresStore]:
    """The backend for resources that are functions of the store."""
    return backend(PostgresStore)

"""The SQLAlchemy variant keeps the rules that RDS Proxy needs: no pin, one connection, no query of its own."""

import re
import uuid
from dataclasses import replace
from datetime import UTC, datetime

import certifi
import pytest
import sqlalchemy.exc
from sqlalchemy import create_engine, select, text
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from benchmarks.forwarder import Forwarder
from lambda_src.database import iam_token
from lambda_src.database.settings import Settings
from lambda_src.sqlalchemy.engine import make_engine
from tests.conftest import ACCESS_KEY, APPLICATION, DATABASE, as_superuser, stand_in_before

HOST = "127.0.0.10"


class Base(DeclarativeBase):
    pass


class Project(Base):
    __tablename__ = "project"

    tenant: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True)
    name: Mapped[str]
    version: Mapped[int]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


@pytest.fixture
def proxy(postgres, certificates, tmp_path):
    """A stand-in of the test's own, whose log nobody else writes."""
    running = stand_in_before(postgres, certificates, tmp_path, percent=2, host=HOST)
    running.start()
    yield running
    running.stop()


@pytest.fixture
def network(proxy):
    with Forwarder(("127.0.0.1", proxy.port), listen=(HOST, proxy.port)) as forwarder:
        yield forwarder


@pytest.fixture
def settings(proxy, monkeypatch):
    for name, value in ACCESS_KEY.items():
        monkeypatch.setenv(name, value)
    return Settings.from_environment(proxy.variables)


@pytest.fixture
def engine(settings, network):
    engine = make_engine(settings)
    yield engine
    engine.dispose()


def project(name):
    now = datetime.now(UTC)
    return Project(tenant="orm", id=uuid.uuid4(), name=name, version=1, created_at=now, updated_at=now)


def statements(server):
    """What the application has asked PostgreSQL; the proxy's own question is left out."""
    found = re.findall(rf" {APPLICATION}@\S+ LOG:  (?:statement|execute .*?): (.*)", server.log.read_text())
    return [statement for statement in found if statement != "SHOW max_connections"]


def test_an_orm_reads_and_writes(engine):
    with Session(engine) as session:
        session.add(made := project("first"))
        session.commit()
        id = made.id
    with Session(engine) as session:
        found = session.scalars(select(Project).where(Project.tenant == "orm", Project.id == id)).one()
        found.name = "second"
        session.commit()
        session.delete(found)
        session.commit()
        assert session.get(Project, ("orm", id)) is None


def test_nothing_that_the_engine_sends_pins_the_connection(engine, proxy):
    for number in range(10):  # psycopg prepares what it has sent five times
        with Session(engine) as session:
            session.add(project(f"number {number}"))
            session.commit()
            assert session.scalars(select(Project).where(Project.tenant == "orm")).all()
    with pytest.raises(sqlalchemy.exc.IntegrityError), Session(engine) as session:
        session.execute(insert(Project).values(tenant="orm", id=uuid.uuid4()))
    with engine.connect() as connection:
        connection.rollback()
    assert "was pinned" not in proxy.log.read_text()


def test_a_transaction_of_several_statements_is_atomic_and_does_not_pin(engine, proxy):
    first, second = project("one"), project("two")
    second.id = first.id
    transactional = engine.execution_options(isolation_level="READ COMMITTED")
    with Session(transactional) as session:
        session.add(first)
        session.flush()
        session.expunge(first)
        session.add(second)
        with pytest.raises(sqlalchemy.exc.IntegrityError):
            session.commit()
    with Session(engine) as session:
        assert session.scalars(select(Project).where(Project.id == first.id)).all() == []
    assert "was pinned" not in proxy.log.read_text()


def test_sqlalchemy_as_it_comes_pins_the_connection(settings, network, proxy):
    """What the variant is for; and that the stand-in would tell."""
    token = iam_token.mint(settings.host, settings.port, settings.user, settings.region, ACCESS_KEY)
    arguments = {"host": settings.host, "port": settings.port, "user": APPLICATION, "password": token}
    tls = {"sslmode": "verify-full", "sslrootcert": settings.root_bundle, "dbname": DATABASE}
    plain = create_engine("postgresql+psycopg://", connect_args={**arguments, **tls})
    for _ in range(10):
        with plain.begin() as connection:
            connection.execute(text("SELECT name FROM project WHERE tenant = :tenant"), {"tenant": "orm"})
    plain.dispose()
    assert "was pinned" in proxy.log.read_text()


def test_the_database_is_asked_only_what_the_service_asks(engine, postgres):
    before = len(statements(postgres))
    with engine.connect() as connection:
        assert connection.execute(text("SELECT 1")).scalar_one() == 1
    with engine.connect() as connection:
        assert connection.execute(text("SELECT 2")).scalar_one() == 2
    assert statements(postgres)[before:] == ["SELECT 1", "SELECT 2"]


def test_a_warm_statement_is_one_round_trip_and_liveness_costs_none(engine, network):
    ask(engine)
    counts = network.count(lambda: [ask(engine) for _ in range(20)])
    assert (counts.connections, counts.turns) == (0, 20)


def test_any_number_of_requests_goes_over_one_connection(engine, network, postgres):
    for _ in range(5):
        ask(engine)
    assert network.connections == 1
    with as_superuser(postgres) as connection:
        found = connection.execute("SELECT state FROM pg_stat_activity WHERE usename = %s", [APPLICATION]).fetchall()
    assert set(found) == {("idle",)}


def test_a_proxy_that_the_root_bundle_does_not_vouch_for_gets_no_token(settings, network):
    engine = make_engine(replace(settings, root_bundle=certifi.where()))
    with pytest.raises(sqlalchemy.exc.OperationalError, match="certificate verify failed"):
        engine.connect()


def test_a_connection_that_was_reset_between_requests_costs_no_request(engine, network):
    ask(engine)
    network.reset_all()
    assert ask(engine) == 1


@pytest.mark.timeout(12, func_only=True)  # four deadlines, for a machine that has other work
def test_a_black_hole_ends_with_the_deadline_and_the_next_request_is_served(engine, network):
    ask(engine)
    network.black_hole()
    with pytest.raises(sqlalchemy.exc.DBAPIError):
        ask(engine)
    network.heal()
    assert ask(engine, 2) == 2  # and not the answer that came too late


def ask(engine, number=1):
    with engine.connect() as connection:
        return connection.execute(text(f"SELECT {number}")).scalar_one()

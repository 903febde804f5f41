"""What the sample's tests share with those of the way to the database."""

from tests.runtime.test_migrations import application, database  # noqa: F401 (fixtures)
from tests.runtime.test_round_trips import network, proxy  # noqa: F401

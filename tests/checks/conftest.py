import pytest

from .cases import new_app


@pytest.fixture(scope="session")
def app(tmp_path_factory):
    """One app for the whole suite, a stage for each case."""
    return new_app(tmp_path_factory.mktemp("cdk.out"))

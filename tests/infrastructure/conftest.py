import pytest

from .synthesis import FIXED, REPOSITORY, synthesize, templates


@pytest.fixture(scope="session")
def app(tmp_path_factory):
    """One app for the whole session: starting it and its validators is what takes the time."""
    return synthesize(tmp_path_factory.mktemp("cdk.out"), repository=REPOSITORY)


@pytest.fixture(scope="session")
def synthesized(app):
    return templates(app)


@pytest.fixture(params=[each.name for each in FIXED])
def environment(request):
    return next(each for each in FIXED if each.name == request.param)


@pytest.fixture
def data(synthesized, environment):
    return synthesized[environment.name, "data"]


@pytest.fixture
def service(synthesized, environment):
    return synthesized[environment.name, "service"]

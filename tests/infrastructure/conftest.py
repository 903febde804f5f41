import pytest

from .synthesis import FIXED, OWN, REPOSITORY, synthesize, templates


@pytest.fixture(scope="session")
def app(tmp_path_factory):
    """One app for the whole session: starting it and its validators is what takes the time."""
    return synthesize(tmp_path_factory.mktemp("cdk.out"), repository=REPOSITORY)


@pytest.fixture(scope="session")
def synthesized(app):
    return templates(app)


@pytest.fixture(scope="session")
def own_app(app, tmp_path_factory):
    """The app with the environments of stacks/environments.py, which are others in a fork."""
    return app if OWN == FIXED else synthesize(tmp_path_factory.mktemp("own"), OWN, repository=REPOSITORY)


@pytest.fixture(scope="session")
def own(own_app):
    return templates(own_app)


@pytest.fixture(params=[each.name for each in FIXED])
def environment(request):
    return next(each for each in FIXED if each.name == request.param)


@pytest.fixture
def data(synthesized, environment):
    return synthesized[environment.name, "data"]


@pytest.fixture
def service(synthesized, environment):
    return synthesized[environment.name, "service"]

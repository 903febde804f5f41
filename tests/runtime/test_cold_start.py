"""What a cold start does, counted: nothing is compiled again, no AWS SDK is loaded. Times are for `make bench`."""

import zipfile

import pytest

from benchmarks.builds import shipped
from benchmarks.cold_start import what_was_said
from local import resource
from local.execution_environment import ExecutionEnvironment
from tests.service import HANDLER, Service

SDK = {"boto3", "botocore", "s3transfer", "urllib3", "jmespath"}


@pytest.fixture(scope="module")
def build(tmp_path_factory):
    """The zip that ships, made by the CDK CLI, as Lambda unpacks it."""
    return shipped(tmp_path_factory.mktemp("shipped"))


@pytest.fixture(scope="module")
def start(build, stand_in, tmp_path_factory):
    """What the interpreter said while the function started and served a request."""
    log = tmp_path_factory.mktemp("function") / "log"
    # /var/task can't be written to: bytecode that is missing or stale is missing at every start.
    variables = {**stand_in.variables, "PYTHONVERBOSE": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    with ExecutionEnvironment(HANDLER, build, variables, log) as environment:
        assert Service(environment).request("GET", resource.path("acme")).status == 200
    return what_was_said(log, build)


def test_the_function_runs_from_the_zip(start):
    assert {"lambda_src.handler", "lambda_src.database.connection", "psycopg"} <= start.imported


def test_no_module_is_compiled_at_a_start(start):
    assert start.compiled == ()


def test_no_aws_sdk_is_loaded_on_the_way_to_the_database(start):
    assert {name.partition(".")[0] for name in start.imported} & SDK == set()


def test_the_cdk_cli_dates_every_file_1980(build):
    """Why bytecode that is checked against its source's date is of no use."""
    assert {date for _, _, date in entries(build.parent / "function.zip").values()} == {(1980, 1, 1, 0, 0, 0)}


def test_two_builds_give_the_same_zip(build, tmp_path):
    shipped(tmp_path / "again")
    assert entries(build.parent / "function.zip") == entries(tmp_path / "again" / "function.zip")


def entries(archive):
    """Every file with all that is stored of it; their order is the file system's."""
    with zipfile.ZipFile(archive) as opened:
        return {each.filename: (each.CRC, each.external_attr, each.date_time) for each in opened.infolist()}

"""A function that was set up wrongly says everything that is wrong, at once."""

import pytest

from lambda_src.database.settings import VARIABLES, InvalidSettings, Settings, root_bundle

GOOD = {
    "DB_HOST": "proxy.example.org",
    "DB_PORT": "5432",
    "DB_NAME": "shop",
    "DB_USER": "application",
    "DB_CONNECT_TIMEOUT_SECONDS": "2",
    "DB_DEADLINE_SECONDS": "3",
    "DB_CONNECTION_MAX_AGE_SECONDS": "240",
    "AWS_REGION": "eu-west-1",
}


def test_every_missing_variable_is_named():
    with pytest.raises(InvalidSettings) as caught:
        Settings.from_environment({})
    assert all(name in str(caught.value) for name in (*VARIABLES, "AWS_REGION"))


def test_every_number_that_is_none_is_named_with_what_came():
    with pytest.raises(InvalidSettings) as caught:
        Settings.from_environment({**GOOD, "DB_PORT": "http", "DB_DEADLINE_SECONDS": "-1"})
    assert "DB_PORT is 'http'" in str(caught.value)
    assert "DB_DEADLINE_SECONDS is '-1'" in str(caught.value)


def test_the_root_bundle_is_certifis_unless_the_platform_names_one():
    assert root_bundle({}).endswith("certifi/cacert.pem")
    assert Settings.from_environment({**GOOD, "SSL_CERT_FILE": "/ca.pem"}).root_bundle == "/ca.pem"

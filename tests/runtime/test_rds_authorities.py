"""The authorities that direct connections to RDS trust."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509

import lambda_src.database
from stacks.environments import ENVIRONMENTS

BUNDLE = Path(lambda_src.database.__file__).with_name("rds-ca.pem")
CERTIFICATES = x509.load_pem_x509_certificates(BUNDLE.read_bytes())


def common_name(certificate: x509.Certificate) -> str:
    (attribute,) = certificate.subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return attribute.value


def test_each_is_an_authority_of_amazon_rds_that_signed_itself():
    for certificate in CERTIFICATES:
        certificate.verify_directly_issued_by(certificate)
        assert certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
        assert common_name(certificate).startswith("Amazon RDS ")


def test_none_ends_within_a_year():
    soon = datetime.now(UTC) + timedelta(days=365)
    assert [common_name(certificate) for certificate in CERTIFICATES if certificate.not_valid_after_utc < soon] == []


def test_every_environments_region_has_one():
    names = {common_name(certificate) for certificate in CERTIFICATES}
    for environment in ENVIRONMENTS:
        assert f"Amazon RDS {environment.region} Root CA RSA2048 G1" in names

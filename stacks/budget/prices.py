"""List prices that the monthly estimate is made with, in US dollars.

None was read from AWS's own price list: `read` says where each comes from. They show what weighs how much, and no bill.
"""

from dataclasses import dataclass

DATE = "2026-07"
REGION = "us-east-1"
HOURS = 730  # in a month


@dataclass(frozen=True)
class Price:
    """Dollars for one of `unit`; `read` is where and when it was read, or that it was not."""

    dollars: float
    unit: str
    read: str


THIRD_PARTY = "third-party page, June 2026"
NOT_VERIFIED = "not verified"

GP3 = Price(0.115, "GiB and month", THIRD_PARTY)
PROXY = Price(0.015, "vCPU and hour, at least two vCPUs", "third-party page, July 2026; the minimum is not verified")
INTERFACE_ENDPOINT = Price(0.01, "zone and hour", THIRD_PARTY)
SECRET = Price(0.40, "secret and month", NOT_VERIFIED)
KEY = Price(1.00, "key and month", NOT_VERIFIED)
ALARM = Price(0.10, "alarm and month", NOT_VERIFIED)
HTTP_API = Price(1.00, "million requests", NOT_VERIFIED)
LAMBDA_REQUESTS = Price(0.20, "million requests", NOT_VERIFIED)
LAMBDA_ARM = Price(0.0000133334, "GB and second, arm64", NOT_VERIFIED)

READ_UNITS = Price(0.125, "million read request units, on demand", "third-party page, 2025")
WRITE_UNITS = Price(0.625, "million write request units, on demand", "third-party page, 2025")
TABLE_STORAGE = Price(0.25, "GB and month", NOT_VERIFIED)
TABLE_RECOVERY = Price(0.20, "GB and month", NOT_VERIFIED)
INSIGHTS_RULE = Price(0.50, "rule and month", NOT_VERIFIED)

INFRATALLY = "third-party page, 2026"
# An instance for an hour, in one zone; a standby costs the same again.
INSTANCES = {
    "t4g.micro": Price(0.016, "hour", INFRATALLY),
    "t4g.small": Price(0.032, "hour", INFRATALLY),
    "t4g.medium": Price(0.065, "hour", INFRATALLY),
    "t4g.large": Price(0.129, "hour", NOT_VERIFIED),
    "t4g.xlarge": Price(0.258, "hour", NOT_VERIFIED),
    "t4g.2xlarge": Price(0.517, "hour", NOT_VERIFIED),
}
# The size large of a family; the others cost in proportion to their vCPUs.
LARGE = {
    "m6g": Price(0.159, "hour", NOT_VERIFIED),
    "m7g": Price(0.168, "hour", NOT_VERIFIED),
    "r6g": Price(0.225, "hour", NOT_VERIFIED),
    "r7g": Price(0.239, "hour", "public repositories, 2026"),
    "r8g": Price(0.24, "hour", "public repositories disagree, 0.23 to 0.27"),
}

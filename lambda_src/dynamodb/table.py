"""Requests to the one table: a client per execution environment, and attempts that end with the request's deadline."""

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, cast

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
)

from lambda_src import embedded_metrics
from lambda_src.api.backend import StoreUnavailable
from lambda_src.deadline import Deadline
from lambda_src.explained import Explained

# What the template gives the function; a test compares the two. The platform adds AWS_REGION and the credentials.
VARIABLES = ("TABLE_NAME", "TABLE_DEADLINE_SECONDS")

CONNECT_SECONDS, READ_SECONDS, ATTEMPTS = 1, 2, 3
LEAST_SECONDS = 1  # of the deadline that must be left for an attempt: one that hung has used the others' time
CONFIG = Config(
    connect_timeout=CONNECT_SECONDS,
    read_timeout=READ_SECONDS,
    retries={"mode": "standard", "total_max_attempts": ATTEMPTS},
    tcp_keepalive=True,
)
# Error codes that say the table can't serve this now; whatever has a status of 500 and more says the same.
THROTTLED = {
    "LimitExceededException",
    "ProvisionedThroughputExceededException",
    "RequestLimitExceeded",
    "ThrottlingException",
}
NOTHING_WAS_SENT = (ConnectTimeoutError, EndpointConnectionError)

METRICS = {
    "Retries": "Count",
    "Throttles": "Count",
    "DeadlineExceeded": "Count",
    "CapacityUnits": "Count",
    "QueryTime": "Milliseconds",
}

Json = dict[str, Any]


class InvalidSettings(Explained):
    """The function's environment variables are not what the code needs; the message names every one of them."""

    heading = "function-settings"


class ConditionFailed(Exception):
    """A write's condition did not hold; `item` is what was there, None for nothing."""

    def __init__(self, item: Json | None) -> None:
        super().__init__("the condition of a write did not hold")
        self.item = item


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Which table, and how long all attempts of one request may take together, in seconds."""

    table: str
    deadline: float

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] = os.environ) -> Self:
        """Read the settings; raises InvalidSettings that names every variable that is missing or malformed."""
        missing = [name for name in (*VARIABLES, "AWS_REGION") if not environment.get(name)]
        if missing:
            raise InvalidSettings(f"missing environment variables: {', '.join(missing)}; set them on the function")
        seconds = environment["TABLE_DEADLINE_SECONDS"]
        if not (seconds.isascii() and seconds.isdigit() and CONNECT_SECONDS + READ_SECONDS <= int(seconds) < 900):
            raise InvalidSettings(
                f"TABLE_DEADLINE_SECONDS is {seconds!r}: a whole number from {CONNECT_SECONDS + READ_SECONDS} "
                "(one attempt) to 899 is needed"
            )
        return cls(table=environment["TABLE_NAME"], deadline=float(seconds))


@dataclass
class Figures:
    """Counts since the last request was logged; capacity units are DynamoDB's own count, indexes included."""

    requests: int = 0
    retries: int = 0
    throttles: int = 0
    deadline_exceeded: int = 0
    capacity_units: float = 0.0
    seconds: float = 0.0

    def as_log_fields(self) -> Json:
        """Fields for the request's log line, which CloudWatch also reads as metrics. None comes from the request."""
        metrics = {
            "Retries": self.retries,
            "Throttles": self.throttles,
            "DeadlineExceeded": self.deadline_exceeded,
            "CapacityUnits": self.capacity_units,
            "QueryTime": round(self.seconds * 1000, 2),
        }
        return {**embedded_metrics.as_log_fields(METRICS, metrics), "requests": self.requests}


class Table:
    """The table, for one request at a time: `begin` it with its deadline.

    `uncertain` is true once an attempt failed in a way that leaves open whether it was carried out.
    """

    def __init__(self, settings: Settings) -> None:
        self.figures = Figures()
        self.uncertain = False
        self._name = settings.table
        self._deadline = Deadline(settings.deadline)
        self._client = boto3.client("dynamodb", config=CONFIG)
        # botocore sets timeouts per client and knows no deadline of a call: these two look at it around each attempt.
        self._client.meta.events.register("before-send.dynamodb", self._before_attempt)
        self._client.meta.events.register_first("needs-retry.dynamodb", self._after_attempt)

    def begin(self, deadline: Deadline) -> None:
        """Start a request that ends by `deadline`, near which no attempt begins."""
        self._deadline, self.uncertain = deadline, False

    def close(self) -> None:
        """End the connections."""
        self._client.close()

    def request(self, operation: str, **parameters: Any) -> Json:
        """The answer of one operation such as "get_item" on the table.

        Raises ConditionFailed where the operation's condition did not hold, StoreUnavailable when the deadline or the
        attempts run out, ClientError when the request itself is wrong.
        """
        started = time.monotonic()
        try:
            send = getattr(self._client, operation)
            answer: Json = send(TableName=self._name, ReturnConsumedCapacity="TOTAL", **parameters)
        except ClientError as error:
            raise _judged(error) from error
        except BotoCoreError as error:
            raise StoreUnavailable(f"{operation}: {type(error).__name__}") from error
        finally:
            self.figures.seconds += time.monotonic() - started
        self.figures.capacity_units += answer.get("ConsumedCapacity", {}).get("CapacityUnits", 0)
        return answer

    def _before_attempt(self, **_: Any) -> None:
        self._refuse_unless_there_is_time()
        self.figures.requests += 1

    def _after_attempt(self, response: Any, attempts: int, caught_exception: Exception | None, **_: Any) -> None:
        """Look at what botocore is about to judge; it does so next, pauses, and sends again."""
        code = response[1].get("Error", {}).get("Code", "") if response else ""
        is_throttled = code in THROTTLED
        was_refused = response is not None and response[0].status_code < 500  # before anything was done
        if was_refused and not is_throttled:
            return
        self.figures.throttles += is_throttled
        self.uncertain = self.uncertain or not (was_refused or isinstance(caught_exception, NOTHING_WAS_SENT))
        if attempts < ATTEMPTS:
            self._refuse_unless_there_is_time()
            self.figures.retries += 1

    def _refuse_unless_there_is_time(self) -> None:
        left = self._deadline.remaining()
        if left < LEAST_SECONDS:
            self.figures.deadline_exceeded += 1
            raise StoreUnavailable(f"{left:.1f} s left, and an attempt begins only with {LEAST_SECONDS} s")


def _judged(error: ClientError) -> Exception:
    code: str = error.response["Error"]["Code"]
    if code == "ConditionalCheckFailedException":
        return ConditionFailed(error.response.get("Item"))
    if code in THROTTLED or error.response["ResponseMetadata"]["HTTPStatusCode"] >= 500:
        return StoreUnavailable(f"{code} at the last attempt")
    return cast(Exception, error)

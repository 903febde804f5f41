"""A few callers of the deployed API, each with one request under way, and what became of every request."""

import json
import threading
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from typing import Any, Self

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local import resource
from local.up.aws import ACCESS_KEY, SECRET, Account

CALLERS = 4  # less than the reserved concurrency: what is throttled is no fault
PAUSE_SECONDS = 0.02
PATIENCE = 29  # seconds; an HTTP API has none left after 30


@dataclass(frozen=True)
class Answer:
    """One request: when it was sent, how long it took, both in seconds, and what came back."""

    sent: float
    seconds: float
    method: str
    status: int
    is_clean: bool  # an answer of the API's contract: success, or a 503 as a problem document with Retry-After

    @property
    def failed(self) -> bool:
        """Whether the caller did not get what it asked for."""
        return self.status >= 400


@dataclass
class Load:
    """Callers that create rows and read them back, until the block ends. `acknowledged` are the texts created."""

    account: Account
    tenant: str
    answers: list[Answer] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)
    unread: list[str] = field(default_factory=list)  # texts that were acknowledged and could not be read back

    def __enter__(self) -> Self:
        self._url, self._over = self.account.api_url(), threading.Event()
        self._began = time.monotonic()
        self._callers = [threading.Thread(target=self._call, args=(number,)) for number in range(CALLERS)]
        for caller in self._callers:
            caller.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for caller in self._callers:
            caller.join()

    @property
    def seconds(self) -> float:
        """How long the load has been going on."""
        return time.monotonic() - self._began

    @property
    def failed(self) -> int:
        """Requests that failed so far."""
        return sum(answer.failed for answer in self.answers)

    def _call(self, caller: int) -> None:
        number = 0
        while not self._over.wait(PAUSE_SECONDS):
            number += 1
            text = f"{caller}-{number}"
            status, made = self._request("POST", resource.path(self.tenant), resource.body(text))
            if status != 201:
                continue
            self.acknowledged.append(text)
            status, found = self._request("GET", resource.path(self.tenant, made["id"]))
            if status == 404 or (status == 200 and found != made):
                self.unread.append(text)

    def _request(self, method: str, path: str, body: object = None) -> tuple[int, Any]:
        data = None if body is None else json.dumps(body).encode()
        request = AWSRequest(method, self._url + path, data=data)
        SigV4Auth(Credentials(ACCESS_KEY, SECRET), "execute-api", self.account.region).add_auth(request)
        signed = urllib.request.Request(request.url, data, dict(request.headers), method=method)
        sent, retry_after = self.seconds, None
        try:
            with urllib.request.urlopen(signed, timeout=PATIENCE) as response:
                status, text = response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                status, text, retry_after = error.code, error.read(), error.headers.get("Retry-After")
        except OSError:
            status, text = 599, b""  # no answer at all
        content = _parsed(text)
        is_clean = status < 400 or (status == 503 and bool(retry_after) and "type" in content)
        self.answers.append(Answer(sent, self.seconds - sent, method, status, is_clean))
        return status, content


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return {}

"""The service's API as its callers have it: signed requests over HTTP to what is deployed."""

import http.client
from urllib.parse import quote, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from local.up.aws import ACCESS_KEY, SECRET, Account
from tests.service import Service

SECONDS = 60
ADDED = {"apigw-requestid", "connection", "content-length", "date", "server"}  # headers of the API's own, and of HTTP


class DeployedService(Service):
    """A Service for tests/contract, whose requests go through the deployed HTTP API and its authoriser."""

    examples = 4

    def __init__(self, account: Account, store: str = "postgres") -> None:
        self.store = store
        self._account = account
        self._base = urlsplit(account.api_url())
        self._connection = http.client.HTTPConnection(self._base.netloc, timeout=SECONDS)

    def send(self, method: str, target: str, text: str | bytes | None) -> tuple[int, dict[str, str], str]:
        """Status, headers and body of the answer."""
        path = quote(f"{self._base.path}{target}", safe="/?&=%:+,;@!*'()~$#")
        body = text.encode() if isinstance(text, str) else text
        request = AWSRequest(method, f"{self._base.scheme}://{self._base.netloc}{path}", data=body)
        SigV4Auth(Credentials(ACCESS_KEY, SECRET), "execute-api", self._account.region).add_auth(request)
        self._connection.request(method, path, body, dict(request.headers))
        with self._connection.getresponse() as response:
            headers = {name.lower(): value for name, value in response.getheaders()}
            content = response.read().decode()
        return response.status, {name: value for name, value in headers.items() if name not in ADDED}, content

    def close(self) -> None:
        self._connection.close()

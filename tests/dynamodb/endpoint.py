"""What stands between a function and DynamoDB: passes requests on and counts them, or does to them what networks do."""

import json
import threading
import urllib.error
import urllib.request
from collections import deque
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

OVERDUE = 30  # seconds after which a swallowed request is let go

ERRORS = {
    "throttle": (400, "ThrottlingException"),
    "throughput": (400, "ProvisionedThroughputExceededException"),
    "error": (500, "InternalServerError"),
    "denied": (400, "AccessDeniedException"),
}


class Endpoint:
    """Each request meets the next of `faults`, and when there is none `otherwise`; both are "pass" or another word.

    "throttle", "throughput", "error" and "denied" are DynamoDB's answers, "swallow" is none at all, "lose" passes the
    request on and closes the connection instead of answering.
    """

    def __init__(self, upstream: str) -> None:
        self.upstream = upstream
        self.faults: deque[str] = deque()
        self.otherwise = "pass"
        self.operations: list[str] = []
        self.connections = 0
        self.released = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.released.set()
        self._server.shutdown()
        self._server.server_close()

    def passed(self, headers: dict[str, str], body: bytes) -> tuple[int, bytes]:
        request = urllib.request.Request(self.upstream, body, headers, method="POST")
        try:
            with urllib.request.urlopen(request, timeout=20) as response:
                return response.status, response.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()


def _handler(endpoint: Endpoint) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def setup(self):
            super().setup()
            endpoint.connections += 1

        def do_POST(self):
            body = self.rfile.read(int(self.headers["Content-Length"]))
            endpoint.operations.append(self.headers["X-Amz-Target"].partition(".")[2])
            fault = endpoint.faults.popleft() if endpoint.faults else endpoint.otherwise
            if fault == "swallow":
                endpoint.released.wait(OVERDUE)
                self.close_connection = True
                return
            if fault in ERRORS:
                status, code = ERRORS[fault]
                answer = json.dumps(
                    {"__type": f"com.amazonaws.dynamodb.v20120810#{code}", "message": "a fault"}
                ).encode()
            else:
                headers = {name: value for name, value in self.headers.items() if name.lower() != "content-length"}
                status, answer = endpoint.passed(headers, body)
            if fault == "lose":
                self.close_connection = True
                return
            self.send_response(status)
            self.send_header("Content-Type", "application/x-amz-json-1.0")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_):
            pass

    return Handler

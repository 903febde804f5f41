"""One Lambda execution environment on this machine: the real runtime client, fed by a Runtime API on loopback.

Source: AWS Lambda Developer Guide, "Using the Lambda runtime API".
"""

import json
import queue
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, NamedTuple, Self

PREFIX = "/2018-06-01/runtime"
INIT_SECONDS = 10
OVERTIME_SECONDS = 5  # what a runtime that ignores its timeout gets before it is ended


class FunctionError(Exception):
    """The function raised, ended, or did not answer in time; the message is what Lambda would log."""


class _Invocation(NamedTuple):
    id: str
    event: object
    deadline_ms: int


class ExecutionEnvironment:
    """A process that runs `handler` (such as "package.module.function") from the folder `task_root`, as Lambda does.

    `variables` are the function's environment variables; nothing else of ours is passed on but PATH. Handles one
    invocation at a time. The function's output is in `log`. `client` is the command of the runtime client, when it is
    not Python's own.
    """

    def __init__(
        self,
        handler: str,
        task_root: Path,
        variables: Mapping[str, str],
        log: Path,
        *,
        python: str = sys.executable,
        client: Sequence[str] | None = None,
        name: str = "function",
    ) -> None:
        self._invocations: queue.Queue[_Invocation | None] = queue.Queue()
        self._answers: queue.Queue[tuple[str, bytes]] = queue.Queue()
        self._ready = threading.Event()
        self._name = name
        self.log = log
        self._server = _Server(("127.0.0.1", 0), _handler_for(self))
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                [*(client or (python, "-m", "awslambdaric")), handler],
                cwd=task_root,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={
                    "PATH": "/usr/bin:/bin",
                    "AWS_LAMBDA_RUNTIME_API": f"127.0.0.1:{self._server.server_port}",
                    "AWS_LAMBDA_FUNCTION_NAME": name,
                    "AWS_LAMBDA_LOG_FORMAT": "JSON",
                    "AWS_LAMBDA_LOG_LEVEL": "INFO",
                    "LAMBDA_TASK_ROOT": str(task_root),
                    "PYTHONPATH": str(task_root),
                    **variables,
                },
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def wait_until_ready(self) -> None:
        """Return when the function is initialised; FunctionError with its reason when it can't be."""
        deadline = time.monotonic() + INIT_SECONDS
        while not self._ready.wait(0.02):
            if not self._answers.empty():
                raise FunctionError(self._answers.get()[1].decode())
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise FunctionError(f"{self._name} did not initialise within {INIT_SECONDS} s")

    def invoke(self, event: object, timeout_seconds: float = 25) -> Any:
        """What the handler returns for an event; FunctionError when it raises or takes longer."""
        deadline_ms = int((time.time() + timeout_seconds) * 1000)
        self._invocations.put(_Invocation(str(uuid.uuid4()), event, deadline_ms))
        try:
            kind, body = self._answers.get(timeout=timeout_seconds + OVERTIME_SECONDS)
        except queue.Empty:
            self.process.kill()
            raise FunctionError(f"{self._name} timed out after {timeout_seconds} s") from None
        if kind != "response":
            raise FunctionError(body.decode())
        return json.loads(body)

    def stop(self) -> None:
        """End the process."""
        self._invocations.put(None)
        self.process.kill()
        self.process.wait()
        self._server.shutdown()
        self._server.server_close()

    def next_invocation(self) -> _Invocation | None:
        """Called by the runtime: blocks until there is something to do; None when the environment ends."""
        self._ready.set()
        return self._invocations.get()

    def answer(self, kind: str, body: bytes) -> None:
        """Called by the runtime with the handler's response or error."""
        self._answers.put((kind, body))


class _Server(ThreadingHTTPServer):
    def handle_error(self, request: Any, client_address: Any) -> None:
        """Report what went wrong, unless it is that the runtime was ended while it waited."""
        if not isinstance(sys.exc_info()[1], ConnectionError):
            super().handle_error(request, client_address)


def _handler_for(environment: ExecutionEnvironment) -> type[BaseHTTPRequestHandler]:
    class RuntimeApi(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def do_GET(self) -> None:
            invocation = environment.next_invocation()
            if invocation is None:
                self.close_connection = True
                return
            body = json.dumps(invocation.event).encode()
            self.send_response(200)
            self.send_header("Lambda-Runtime-Aws-Request-Id", invocation.id)
            self.send_header("Lambda-Runtime-Deadline-Ms", str(invocation.deadline_ms))
            self.send_header("Lambda-Runtime-Invoked-Function-Arn", "arn:aws:lambda:us-east-1:000000000000:function:f")
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            environment.answer("response" if self.path.endswith("/response") else "error", body)
            self.send_response(202)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: the function's own output is the log."""

    return RuntimeApi

"""Lambda functions: what ministack's CloudFormation forgets, and the answers of an HTTP API that calls them."""

import json
from typing import Any

from local.aws import internals
from local.aws.emulation import Emulation
from local.aws.resources import Properties, Request, Resource, ResourceType
from local.aws.sessions import Sessions

FUNCTION = "AWS::Lambda::Function"

# A function whose caller was killed would go on, for ever if it hangs: nobody is left to see its timeout.
PYTHON_WATCH = """
def _end_with_the_emulator():
    import os, threading, time
    emulator = os.getppid()
    def watch():
        while os.getppid() == emulator:
            time.sleep(0.5)
        os._exit(1)
    threading.Thread(target=watch, daemon=True).start()
_end_with_the_emulator()
"""
NODE_WATCH = """
(function (emulator) {
  setInterval(() => process.ppid === emulator || process.exit(1), 500).unref();
})(process.ppid);
"""


class Functions:
    """Functions with reserved concurrency, subnets and the session of their role."""

    def __init__(self, emulation: Emulation, sessions: Sessions) -> None:
        self._emulation = emulation
        self._builtin = internals.builtin(FUNCTION)
        internals.begin_environments_with(PYTHON_WATCH, NODE_WATCH)
        internals.wait_less_for_logs()
        internals.replace_function_credentials(sessions.of_function)
        internals.replace_function_response(failure_response)

    def resource_types(self) -> list[ResourceType]:
        """The types of this module."""
        return [
            ResourceType(
                name=FUNCTION,
                create=lambda request: self._completed(request, self._builtin.create(request)),
                update=lambda request: self._completed(request, self._builtin.update(request)),
                delete=self._delete,
            )
        ]

    def _completed(self, request: Request, resource: Resource) -> Resource:
        functions, name = self._emulation.client("lambda"), resource.physical_id
        internals.set_vpc(name, request.properties.get("VpcConfig"))
        reserved = request.number("ReservedConcurrentExecutions")
        if reserved is None:
            functions.delete_function_concurrency(FunctionName=name)
        else:
            functions.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=reserved)
        return resource

    def _delete(self, request: Request) -> None:
        self._builtin.delete(request)
        internals.end_environments(request.physical_id)


def failure_response(result: Properties) -> dict[str, Any] | None:
    """What an HTTP API answers when its function failed or was throttled; None when the function answered.

    ministack tells the caller the function's error, with 502 or 429. An HTTP API tells nothing: 500 for a function's
    error or timeout, 503 for one that was throttled.
    """
    if result.get("throttle"):
        return _message(503, "Service Unavailable")
    if result.get("error"):
        return _message(500, "Internal Server Error")
    return None


def _message(status: int, text: str) -> dict[str, Any]:
    return {
        "statusCode": status,
        "headers": {"Content-Type": "application/json"},
        "body": json.dumps({"message": text}),
    }

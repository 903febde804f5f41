"""Functions in real execution environments, and the requests that they are asked."""

from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.data_plane import ROOT, TENANT, Proxy, row_id
from benchmarks.virtual_environment import python
from local.execution_environment import ExecutionEnvironment

HANDLER = "lambda_src.handler.handler"


class Function(NamedTuple):
    """A handler, and the folder that /var/task would be."""

    handler: str
    task_root: Path = ROOT

    def start(self, proxy: Proxy, log: Path, **variables: str) -> ExecutionEnvironment:
        """An execution environment that is initialising."""
        # /var/task can't be written to; here it could, and what one start compiled would help the next.
        given = {**proxy.variables, "PYTHONDONTWRITEBYTECODE": "1", **variables}
        return ExecutionEnvironment(self.handler, self.task_root, given, log, python=python())


def event(route_key: str, *, id: str = row_id(7), body: str | None = None, **query: str) -> dict[str, Any]:
    """What an HTTP API sends (payload format 2.0) for a route of the service, for the benchmark's tenant."""
    method, _, template = route_key.partition(" ")
    parameters = {name: value for name, value in (("tenant", TENANT), ("id", id)) if f"{{{name}}}" in template}
    path = template.format(**parameters)
    return {
        "version": "2.0",
        "routeKey": route_key,
        "rawPath": path,
        "headers": {"content-type": "application/json"},
        "requestContext": {"http": {"method": method, "path": path}, "routeKey": route_key},
        "isBase64Encoded": False,
        "pathParameters": parameters,
        **({"queryStringParameters": query} if query else {}),
        **({"body": body} if body is not None else {}),
    }


def ask(environment: ExecutionEnvironment, request: dict[str, Any], status: int = 200) -> None:
    """Send a request; RuntimeError unless it is answered with `status`."""
    answer = environment.invoke(request)
    if answer["statusCode"] != status:
        raise RuntimeError(f"{request['routeKey']} was answered {answer}")

"""Everything that reaches into ministack. Written against one version: `check` fails when another is installed.

The rest of this package talks to the emulator as any client does, through the AWS API.
"""

import inspect
import json
import re
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from importlib import import_module
from importlib.metadata import version
from operator import attrgetter
from socket import socket
from typing import Any

from local.aws.resources import Properties, Request, Resource, ResourceType

VERSION = "1.5.33"

# Module -> the names used here; a function comes with its parameters, which are relied on as well.
USED: dict[str, dict[str, tuple[str, ...] | None]] = {
    "ministack.app": {"app": ("scope", "receive", "send"), "AUTH": None, "_HEALTH_PATHS": None},
    "ministack.core.responses": {"get_region": (), "get_account_id": ()},
    "ministack.core.lambda_runtime": {
        "execution_credentials": ("config",),
        "invalidate_worker": ("func_name", "qualifier", "account", "region"),
        "reset": (),
        "Worker._drain_stderr_bounded": ("self", "first_line_wait", "idle_confirm", "hard_cap"),
        "_PYTHON_WORKER_SCRIPT": None,
        "_NODEJS_WORKER_SCRIPT": None,
    },
    "ministack.services.cloudformation": {"_stacks": None},
    "ministack.services.cloudformation.changesets": {"_find_change_set": ("cs_name", "stack_name")},
    "ministack.services.cloudformation.handlers": {"_ACTION_HANDLERS": None},
    "ministack.services.cloudformation.helpers": {
        "_error": ("code", "message", "status"),
        "_p": ("params", "key", "default"),
    },
    "ministack.services.cloudformation.provisioners": {
        "_RESOURCE_HANDLERS": None,
        "_REPLACING_PROPERTIES": None,
        "_CUSTOM_NAME_REPLACEMENT": None,
    },
    "ministack.services.cloudformation.stacks": {"_runs_on_worker_thread": ("resource_type",)},
    "ministack.services.lambda_svc": {
        "execution_credentials": ("config",),
        "lambda_execute_result_to_api_proxy_response": ("exec_result",),
        "_functions": None,
        "_vpc_config_with_id": ("request_config",),
    },
    "ministack.services.rds": {"_instances": None, "_db_proxies": None, "_db_proxy_endpoints": None},
    "ministack.services.secretsmanager": {
        "_resolve": ("secret_id", "use_arn_scope"),
        "_rotate_secret": ("data",),
        "_get_secret_value": ("data",),
    },
    "ministack.services.sts": {"register_session": ("access_key", "session")},
}

AT_WORK = re.compile(r"(?!REVIEW)\w+_IN_PROGRESS")  # a stack's status


def check() -> None:
    """Raise RuntimeError with all that changed when ministack is not the one that this module was written against."""
    if version("ministack") != VERSION:
        raise RuntimeError(
            f"ministack {version('ministack')} is installed and local/aws/internals.py was written against {VERSION}: "
            f"install {VERSION} (local/aws/requirements.txt), or check every use in that file and raise VERSION"
        )
    differences = [text for module, names in USED.items() for name, expected in names.items()
                   for text in _differences(module, name, expected)]  # fmt: skip
    if differences:
        raise RuntimeError(f"ministack {VERSION} is not as local/aws/internals.py knows it: {'; '.join(differences)}")


def _differences(module: str, name: str, expected: tuple[str, ...] | None) -> list[str]:
    try:
        found = attrgetter(name)(import_module(module))
    except (ImportError, AttributeError):
        return [f"{module}.{name} is gone"]
    if expected is None:
        return []
    parameters = tuple(inspect.signature(found).parameters)
    return [] if parameters == expected else [f"{module}.{name} takes {parameters} instead of {expected}"]


def _module(name: str) -> Any:
    return import_module(f"ministack.{name}")


def application() -> Any:
    """The ASGI application that is ministack."""
    return _module("app").app


async def serve(application: Any, listener: socket, shutdown: Callable[[], Awaitable[None]]) -> None:
    """Answer on this socket, with the server that ministack brings, until `shutdown` returns."""
    config = import_module("hypercorn.config").Config()
    config.bind = [f"fd://{listener.fileno()}"]
    config.keep_alive_timeout = 75
    config.errorlog = config.accesslog = None
    await import_module("hypercorn.asyncio").serve(application, config, shutdown_trigger=shutdown)


def region() -> str:
    """The Region of the request, or of the stack, that this thread works for."""
    return str(_module("core.responses").get_region())


def account() -> str:
    """The account of the request, or of the stack, that this thread works for."""
    return str(_module("core.responses").get_account_id())


def enforces_iam() -> bool:
    """Whether policies are checked."""
    return bool(_module("app").AUTH)


def register(resource_type: ResourceType) -> None:
    """Make CloudFormation use this for its type, instead of what it has, if it has one."""
    provisioners, stacks = _module("services.cloudformation.provisioners"), _module("services.cloudformation.stacks")
    name = resource_type.name

    def create(logical_id: str, properties: Properties, stack: str) -> tuple[str, dict[str, str]]:
        return _answer(resource_type.create(Request(logical_id, stack, properties)))

    def update(
        physical_id: str, previous: Properties, properties: Properties, stack: str, logical_id: str | None = None
    ) -> tuple[str, dict[str, str]]:
        return _answer(
            resource_type.update(Request(logical_id or physical_id, stack, properties, physical_id, previous))
        )

    def delete(physical_id: str, properties: Properties, logical_id: str | None = None) -> None:
        resource_type.delete(Request(logical_id or physical_id, "", properties, physical_id))

    handlers = provisioners._RESOURCE_HANDLERS
    handlers[name] = {
        **handlers.get(name, {}),
        "create": create,
        "update": update,
        "update_with_logical_id": True,
        "delete": delete,
        "delete_with_logical_id": True,
    }
    provisioners._REPLACING_PROPERTIES.setdefault(name, resource_type.create_only)
    if resource_type.custom_name:
        provisioners._CUSTOM_NAME_REPLACEMENT.setdefault(name, {"name": resource_type.custom_name})
    # What is made here calls the emulator's API and waits, so it must not run on the thread that serves that API.
    on_worker_thread = stacks._runs_on_worker_thread
    stacks._runs_on_worker_thread = lambda resource_type: resource_type == name or on_worker_thread(resource_type)


def _answer(resource: Resource) -> tuple[str, dict[str, str]]:
    return resource.physical_id, dict(resource.attributes)


def builtin(name: str) -> ResourceType:
    """What ministack itself does for a type; taken before `register` replaces it."""
    handler = dict(_module("services.cloudformation.provisioners")._RESOURCE_HANDLERS[name])

    def create(request: Request) -> Resource:
        return Resource(*handler["create"](request.logical_id, dict(request.properties), request.stack))

    def update(request: Request) -> Resource:
        logical_id = [request.logical_id] if handler.get("update_with_logical_id") else []
        return Resource(
            *handler["update"](
                request.physical_id, dict(request.previous), dict(request.properties), request.stack, *logical_id
            )
        )

    def delete(request: Request) -> None:
        logical_id = [request.logical_id] if handler.get("delete_with_logical_id") else []
        handler["delete"](request.physical_id, dict(request.properties), *logical_id)

    return ResourceType(name=name, create=create, update=update, delete=delete)


def set_instance_address(identifier: str, address: str) -> None:
    """Make the RDS API answer this address for a DB instance."""
    _module("services.rds")._instances[identifier]["Endpoint"]["Address"] = address


def set_proxy_address(name: str, address: str) -> None:
    """Make the RDS API answer this address for a proxy and for its default endpoint."""
    rds = _module("services.rds")
    rds._db_proxies[name]["Endpoint"] = address
    rds._db_proxy_endpoints[name]["Endpoint"] = address


def set_vpc(function: str, config: Properties | None) -> None:
    """Record the subnets and security groups of a function; ministack's CloudFormation forgets them."""
    functions = _module("services.lambda_svc")
    functions._functions[function]["config"]["VpcConfig"] = functions._vpc_config_with_id(config)


def end_environments(function: str) -> None:
    """End the processes of a function; ministack's CloudFormation leaves one when it deletes the function."""
    _module("core.lambda_runtime").invalidate_worker(function, account=account(), region=region())


def end_all_environments() -> None:
    """End the processes of every function."""
    _module("core.lambda_runtime").reset()


def begin_environments_with(python: str, node: str) -> None:
    """Run this code at the start of every function's process, by its language."""
    runtime = _module("core.lambda_runtime")
    runtime._PYTHON_WORKER_SCRIPT = python + runtime._PYTHON_WORKER_SCRIPT
    runtime._NODEJS_WORKER_SCRIPT = node + runtime._NODEJS_WORKER_SCRIPT


def wait_less_for_logs() -> None:
    """Answer sooner when a function has written no log: ministack waits 50 ms for a first line, at every invocation."""
    drain = _module("core.lambda_runtime").Worker._drain_stderr_bounded
    first_line_wait, *others = drain.__defaults__
    drain.__defaults__ = (min(first_line_wait, 0.010), *others)


def replace_function_credentials(credentials: Callable[[Mapping[str, Any]], dict[str, str]]) -> None:
    """Choose the credentials of a function's process by the function's configuration."""
    for module in ("core.lambda_runtime", "services.lambda_svc"):
        _module(module).execution_credentials = credentials


def register_session(access_key: str, secret: str, token: str, *, arn: str, user_id: str) -> None:
    """Make credentials known that stand for a session of a role; they don't expire."""
    session = {"Arn": arn, "UserId": user_id, "SecretAccessKey": secret, "SessionToken": token}
    _module("services.sts").register_session(access_key, session)


def replace_function_response(respond: Callable[[Mapping[str, Any]], Properties | None]) -> None:
    """Let `respond` choose what an HTTP API answers to a function's result; None leaves it to ministack."""
    functions = _module("services.lambda_svc")
    original = functions.lambda_execute_result_to_api_proxy_response

    def answer(exec_result: Mapping[str, Any]) -> tuple[Any, str | None]:
        response = respond(exec_result)
        return (response, None) if response is not None else original(exec_result)

    functions.lambda_execute_result_to_api_proxy_response = answer


def free_health_path() -> None:
    """Let `GET /health` reach an API that is addressed by its host name; ministack answers it itself."""
    app = _module("app")
    app._HEALTH_PATHS = tuple(path for path in app._HEALTH_PATHS if path != "/health")


def refuse_a_second_deployment() -> None:
    """Execute no change set on a stack that is at work, as CloudFormation; ministack would do both at once."""
    cloudformation, changesets, handlers, helpers = (
        _module(f"services.cloudformation{part}") for part in ("", ".changesets", ".handlers", ".helpers")
    )
    execute = handlers._ACTION_HANDLERS["ExecuteChangeSet"]

    def execute_alone(parameters: Any) -> Any:
        names = (helpers._p(parameters, name) for name in ("ChangeSetName", "StackName"))
        _, change_set = changesets._find_change_set(*names)
        stack: Any = cloudformation._stacks.get(change_set["StackName"]) if change_set else None
        if stack is None or not AT_WORK.fullmatch(stack["StackStatus"]):
            return execute(parameters)
        refusal = f"Stack:{stack['StackId']} is in {stack['StackStatus']} state and can not be updated."
        return helpers._error("ValidationError", refusal)

    handlers._ACTION_HANDLERS["ExecuteChangeSet"] = execute_alone


def secret(secret_id: str) -> MutableMapping[str, Any] | None:
    """The record of a secret, by name or ARN: its rotation settings and its versions with their stages."""
    found: MutableMapping[str, Any] | None = _module("services.secretsmanager")._resolve(secret_id)[1]
    return found


class ApiError(Exception):
    """An error of the AWS API: its code and its message."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def replace_rotate_secret(rotate: Callable[[Properties], Mapping[str, str]]) -> None:
    """Answer RotateSecret with what `rotate` returns or raises (ApiError); ministack's never calls the function."""
    _module("services.secretsmanager")._rotate_secret = lambda data: _json(lambda: rotate(data))


def hide_empty_secret_versions() -> None:
    """Answer ResourceNotFoundException for a version without a value: what createSecret of a rotation expects."""
    secrets = _module("services.secretsmanager")
    original = secrets._get_secret_value

    def get(data: Properties) -> Any:
        answer = original(data)
        if answer[0] == 200 and not {"SecretString", "SecretBinary"} & json.loads(answer[2]).keys():
            return _json(lambda: _refuse("Secrets Manager can't find the specified secret value."))
        return answer

    secrets._get_secret_value = get


def _refuse(message: str) -> Mapping[str, str]:
    raise ApiError("ResourceNotFoundException", message)


def _json(action: Callable[[], Mapping[str, str]]) -> tuple[int, dict[str, str], bytes]:
    headers = {"Content-Type": "application/x-amz-json-1.1"}
    try:
        return 200, headers, json.dumps(action()).encode()
    except ApiError as error:
        return 400, headers, json.dumps({"__type": error.code, "message": str(error)}).encode()

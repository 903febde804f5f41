"""RDS DB instances that are real PostgreSQL servers."""

import logging
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from local.aws import internals
from local.aws.children import Command
from local.aws.emulation import Emulation
from local.aws.resources import Properties, Request, Resource, ResourceError, ResourceType

INSTANCE, PARAMETER_GROUP = "AWS::RDS::DBInstance", "AWS::RDS::DBParameterGroup"
DEFAULT_PORT = 5432
# RDS's own, and what TLS, which is ended before PostgreSQL here, and extensions bring; PostgreSQL knows none of them.
FOREIGN_PARAMETERS = ("rds", "ssl", "shared_preload_libraries")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class RunningInstance:
    """A DB instance that accepts connections."""

    address: str
    port: int
    socket_directory: str


class Databases:
    """The DB instances of the emulator, and the parameter groups they follow."""

    def __init__(self, emulation: Emulation) -> None:
        self._emulation = emulation
        self._instance, self._parameter_group = internals.builtin(INSTANCE), internals.builtin(PARAMETER_GROUP)
        self._properties: dict[str, Properties] = {}
        self.running: dict[str, RunningInstance] = {}

    def resource_types(self) -> list[ResourceType]:
        """The types of this module."""
        group = self._parameter_group
        return [
            ResourceType(name=INSTANCE, create=self._create, update=self._update, delete=self._delete),
            ResourceType(
                name=PARAMETER_GROUP, create=group.create, update=self._update_parameter_group, delete=group.delete
            ),
        ]

    def _create(self, request: Request) -> Resource:
        check(request.properties)
        resource = self._instance.create(request)
        try:
            self._start(resource.physical_id, request.properties)
        except BaseException:
            self._end(resource.physical_id)
            self._instance.delete(Request(request.logical_id, request.stack, request.properties, resource.physical_id))
            raise
        return self._with_address(resource)

    def _update(self, request: Request) -> Resource:
        check(request.properties)
        resource = self._instance.update(request)
        if resource.physical_id != request.physical_id:  # it had been deleted behind CloudFormation's back
            self._end(request.physical_id)
        self._start(resource.physical_id, request.properties)
        return self._with_address(resource)

    def _delete(self, request: Request) -> None:
        if request.flag("DeletionProtection"):
            raise ResourceError(
                f"Cannot delete protected DB Instance {request.physical_id}: set DeletionProtection off"
            )
        self._end(request.physical_id)
        self._instance.delete(request)
        shutil.rmtree(self._directory(request.physical_id), ignore_errors=True)

    def _update_parameter_group(self, request: Request) -> Resource:
        """A static parameter waits for a reboot on AWS; here the instances that use the group restart at once."""
        resource = self._parameter_group.update(request)
        for identifier, properties in list(self._properties.items()):
            if properties.get("DBParameterGroupName") == resource.physical_id:
                self._start(identifier, properties)
        return resource

    def _start(self, identifier: str, properties: Properties) -> None:
        port = int(properties.get("Port", DEFAULT_PORT))
        address = self._emulation.addresses.reserve(f"instance {identifier}", [port])
        description = {
            "directory": str(self._directory(identifier)),
            "address": address,
            "port": port,
            "certificates": str(self._emulation.certificates),
            "database": properties.get("DBName", "postgres"),
            "master_user": properties["MasterUsername"],
            "master_password": None if master_uses_iam(properties) else properties["MasterUserPassword"],
            "iam": self._iam(identifier) if enables_iam(properties) else None,
            "parameters": self._parameters(properties.get("DBParameterGroupName")),
        }
        command = Command("local.postgres", standard_input=description)
        ready = self._emulation.children.run(f"rds-{identifier}", command)
        internals.set_instance_address(identifier, address)
        self._properties[identifier] = properties
        self.running[identifier] = RunningInstance(address, port, ready["socket_directory"])

    def _iam(self, identifier: str) -> dict[str, str | None]:
        found = self._emulation.client("rds").describe_db_instances(DBInstanceIdentifier=identifier)["DBInstances"]
        return {
            "access_keys": str(self._emulation.access_keys),
            "region": internals.region(),
            "connect_arn": self._emulation.connect_arn(found[0]["DbiResourceId"]),
            "endpoint": self._emulation.endpoint,
        }

    def _end(self, identifier: str) -> None:
        self._emulation.children.stop(f"rds-{identifier}")
        self._emulation.addresses.release(f"instance {identifier}")
        self._properties.pop(identifier, None)
        self.running.pop(identifier, None)

    def _directory(self, identifier: str) -> Path:
        return self._emulation.state / "rds" / identifier

    def _with_address(self, resource: Resource) -> Resource:
        address = self.running[resource.physical_id].address
        return Resource(resource.physical_id, {**resource.attributes, "Endpoint.Address": address})

    def _parameters(self, group: str | None) -> dict[str, str]:
        if group is None:
            return {}
        pages = self._emulation.client("rds").get_paginator("describe_db_parameters")
        described = pages.paginate(DBParameterGroupName=group, Source="user").build_full_result()["Parameters"]
        return community_parameters({each["ParameterName"]: each["ParameterValue"] for each in described})


def check(properties: Properties) -> None:
    """Raise ResourceError for a DB instance that can't be made on this machine."""
    engine = properties.get("Engine")
    if engine != "postgres":
        raise ResourceError(f"the local AWS has no engine {engine!r}: it runs DB instances of the engine 'postgres'")
    needed = ["MasterUsername", *([] if master_uses_iam(properties) else ["MasterUserPassword"])]
    if missing := [name for name in needed if not properties.get(name)]:
        raise ResourceError(
            f"the local AWS needs {' and '.join(missing)} of a DB instance: it does not manage master passwords"
        )
    if master_uses_iam(properties) and not enables_iam(properties):
        raise ResourceError("MasterUserAuthenticationType is iam-db-auth: set EnableIAMDatabaseAuthentication as well")


def enables_iam(properties: Properties) -> bool:
    """Whether an instance has IAM database authentication."""
    return str(properties.get("EnableIAMDatabaseAuthentication", False)).lower() == "true"


def master_uses_iam(properties: Properties) -> bool:
    """Whether the master user logs in by IAM, and has no password."""
    return bool(properties.get("MasterUserAuthenticationType", "password") == "iam-db-auth")


def community_parameters(parameters: Mapping[str, Any]) -> dict[str, str]:
    """The parameters of a group that PostgreSQL itself knows, less formulas such as `{DBInstanceClassMemory/32768}`."""
    known = {
        name: str(value)
        for name, value in parameters.items()
        if "." not in name and not name.startswith(FOREIGN_PARAMETERS) and "{" not in str(value)
    }
    if left_out := sorted(parameters.keys() - known.keys()):
        logger.info("parameters that only RDS, TLS or an extension know are left out: %s", ", ".join(left_out))
    return known

"""What roles may do, as far as the templates say."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from .references import mentioned, shown
from .template import Attribute, Resource
from .templates import Templates
from .values import Text, Unknown, listed, within

SERVERS = ("AWS::RDS::DBProxy", "AWS::RDS::DBInstance", "AWS::RDS::DBCluster")
RESOURCE_IDS = ("DbiResourceId", "DBClusterResourceId")
PROXY_ARN = "DBProxyArn"


@dataclass(frozen=True)
class Statement:
    """One statement of a policy that is attached to a role."""

    resource: Resource  # the resource of the template that it is written in
    body: dict[str, Any]

    @property
    def resources(self) -> list[Any]:
        """What it is about."""
        return listed(self.body.get("Resource"))

    @property
    def actions(self) -> list[str]:
        """What it allows or denies, in lower case."""
        return [each.lower() for each in listed(self.body.get("Action")) if isinstance(each, str)]

    @property
    def is_unknown(self) -> bool:
        """Whether only a deployment decides what it allows."""
        values = (self.body.get("Effect"), *listed(self.body.get("Action")))
        by_exclusion = self.is_allow and ("NotAction" in self.body or "NotResource" in self.body)
        return by_exclusion or any(isinstance(each, Unknown) for each in values)

    @property
    def is_allow(self) -> bool:
        """Whether it allows."""
        return self.body.get("Effect") == "Allow"

    def allows(self, *actions: str) -> bool:
        """Whether it allows any of these actions, on whatever resource."""
        return self.is_allow and any(_like(pattern, action.lower()) for pattern in self.actions for action in actions)


def is_user_of(resource: Any, server: Resource) -> bool:
    """Whether rds-db:connect on this is about a user of a proxy or database: AWS knows it by its resource id."""
    return any(a.resource is server and _is_resource_id(a.name) for a in mentioned(resource))


def may_be_user_of(resource: Any, server: Resource) -> bool:
    """Whether it is, or may be: it may where it names no proxy and no database of the stage."""
    named = [each for each in mentioned(resource) if each.resource.type in SERVERS]
    return not named or (not isinstance(resource, Attribute) and is_user_of(resource, server))


def _is_resource_id(attribute: str) -> bool:
    """Whether an attribute is a resource id; of a proxy there is only its ARN, whose last word is one."""
    return attribute in RESOURCE_IDS or (attribute.startswith(PROXY_ARN) and attribute != PROXY_ARN)


def user_in(resource: Any) -> str | None:
    """The user whom rds-db:connect on this is about; None when that is any, or cannot be known."""
    text = shown(resource) if isinstance(resource, str | Text) else ""
    found = text.rpartition("/")[2]
    return found if found and not set(found) & set("*?${}") else None


class Policies:
    """The statements of every role of a stage."""

    def __init__(self, templates: Templates) -> None:
        self._templates = templates

    def role_of(self, value: Any) -> Resource | None:
        """The role of this stage that an ARN or a name refers to."""
        named = next((each.resource for each in mentioned(value) if each.resource.type == "AWS::IAM::Role"), None)
        if named is not None or not isinstance(value, str | Text):
            return named
        name = value.rpartition("/")[2] if isinstance(value, str) else value
        roles = self._templates.of_type("AWS::IAM::Role")
        return next((role for role in roles if role.get("RoleName") == name), None)

    def of(self, role: Any) -> list[Statement]:
        """The statements of a role: inline, and in policies of this stage."""
        found = self.role_of(role)
        return [] if found is None else self._by_role.get(found, [])

    def is_complete(self, role: Any) -> bool:
        """Whether the stage has all that a role may: it is here, and has none but AWS's policies and this stage's."""
        found = self.role_of(role)
        if found is None or self._stray or any(each.is_unknown for each in self.of(role)):
            return False
        arns = listed(found.get("ManagedPolicyArns"))
        return all(_is_narrow(arn) or isinstance(arn, Attribute) for arn in arns)

    @cached_property
    def _stray(self) -> bool:
        """Whether a policy is attached to what only a deployment decides."""
        policies = self._templates.of_type("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy")
        roles = [role for each in policies for role in (*listed(each.get("Roles")), *listed(each.get("RoleName")))]
        return any(isinstance(role, Unknown) for role in roles)

    @cached_property
    def all(self) -> list[Statement]:
        """Every statement of every identity policy."""
        seen = {id(statement): statement for statements in self._by_role.values() for statement in statements}
        return list(seen.values())

    @cached_property
    def _by_role(self) -> dict[Resource, list[Statement]]:
        found: dict[Resource, list[Statement]] = {}
        for role in self._templates.of_type("AWS::IAM::Role"):
            found[role] = [
                statement
                for policy in listed(role.get("Policies"))
                for statement in _statements(role, within(policy, "PolicyDocument"))
            ]
        for policy in self._templates.of_type("AWS::IAM::Policy", "AWS::IAM::ManagedPolicy", "AWS::IAM::RolePolicy"):
            statements = list(_statements(policy, policy.get("PolicyDocument")))
            for role in self._attached(policy):
                found.setdefault(role, []).extend(statements)
        for function in self._templates.of_type("AWS::Serverless::Function"):  # whose role SAM makes
            found[function] = [
                each for policy in listed(function.get("Policies")) for each in _statements(function, policy)
            ]
        return found

    def _attached(self, policy: Resource) -> list[Resource]:
        named = [*listed(policy.get("Roles")), *listed(policy.get("RoleName"))]
        roles = [role for value in named if (role := self.role_of(value)) is not None]
        attached = [
            role
            for role in self._templates.of_type("AWS::IAM::Role")
            if any(each.resource is policy for each in mentioned(role.get("ManagedPolicyArns")))
        ]
        return [*roles, *attached]


def _is_narrow(arn: Any) -> bool:
    """Whether an ARN is of a policy that AWS maintains, and that does not allow nearly everything."""
    text = arn if isinstance(arn, str) else arn.literal if isinstance(arn, Text) else ""
    return ":iam::aws:policy/" in text and not text.endswith(("AdministratorAccess", "PowerUserAccess"))


def _statements(resource: Resource, document: Any) -> Iterable[Statement]:
    body = within(document, "Statement")
    return [Statement(resource, each if isinstance(each, dict) else {"Effect": each}) for each in listed(body)]


def _like(pattern: str, action: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*").replace(r"\?", "."), action) is not None

"""Whether a role may log in as a user: `rds-db:connect`, as the IAM of the local AWS decides."""

from functools import cached_property
from typing import Any

# The root user of the local AWS: the role whose policies are asked about may not ask about them itself.
ROOT = {"aws_access_key_id": "test", "aws_secret_access_key": "test"}


class NotAuthorized(Exception):
    """The role's policies do not allow it; the text says what they lack."""


class Authorization:
    """The users of one proxy or database: `resource` is such as arn:aws:rds-db:eu-west-1:000000000000:dbuser:prx-1.

    The local AWS is found as boto3 finds it, by AWS_ENDPOINT_URL, unless `endpoint` says where it is.
    """

    def __init__(self, resource: str, endpoint: str | None = None) -> None:
        self._resource, self._endpoint = resource, endpoint

    def check(self, role: str, user: str) -> None:
        """Return when the role may log in as this user; NotAuthorized otherwise. Waits for the local AWS."""
        wanted = f"{self._resource}/{user}"
        answer = self._client.simulate_principal_policy(
            PolicySourceArn=role, ActionNames=["rds-db:connect"], ResourceArns=[wanted]
        )
        if any(each["EvalDecision"] != "allowed" for each in answer["EvaluationResults"]):
            raise NotAuthorized(f"AccessDenied: no policy of {role} allows rds-db:connect on {wanted}")

    @cached_property
    def _client(self) -> Any:
        # Imported here: it takes longer than all the rest, and only the local AWS needs it.
        import boto3

        return boto3.client("iam", region_name=self._resource.split(":")[3], endpoint_url=self._endpoint, **ROOT)

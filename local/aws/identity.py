"""IAM's OpenID Connect providers, which ministack has in its API and not in its CloudFormation."""

from local.aws.emulation import Emulation
from local.aws.resources import Request, Resource, ResourceType


class IdentityProviders:
    """Whose tokens an account trusts. STS reads a token's claims here; nobody's signature is checked."""

    def __init__(self, emulation: Emulation) -> None:
        self._emulation = emulation

    def resource_types(self) -> list[ResourceType]:
        """The type of this module."""
        return [
            ResourceType(
                name="AWS::IAM::OIDCProvider",
                create=self._create,
                update=lambda request: Resource(request.physical_id, {"Arn": request.physical_id}),
                delete=self._delete,
                create_only=("Url",),
            )
        ]

    def _create(self, request: Request) -> Resource:
        arn = self._emulation.client("iam").create_open_id_connect_provider(
            Url=request.properties["Url"], ClientIDList=request.properties.get("ClientIdList", [])
        )["OpenIDConnectProviderArn"]
        return Resource(arn, {"Arn": arn})

    def _delete(self, request: Request) -> None:
        self._emulation.client("iam").delete_open_id_connect_provider(OpenIDConnectProviderArn=request.physical_id)

"""EC2 resource types that ministack has in its API and not in its CloudFormation."""

from typing import Any

from local.aws.emulation import Emulation
from local.aws.resources import Request, Resource, ResourceType

# The template's name for what the rule lets through -> the API's list and its member.
PEERS = {
    "CidrIp": ("IpRanges", "CidrIp"),
    "CidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
    "SourcePrefixListId": ("PrefixListIds", "PrefixListId"),
    "DestinationPrefixListId": ("PrefixListIds", "PrefixListId"),
    "SourceSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
    "DestinationSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
}
RULE = ("GroupId", "IpProtocol", "FromPort", "ToPort", *PEERS)
FLOW_LOG = (
    "DeliverCrossAccountRole", "DeliverLogsPermissionArn", "DestinationOptions", "LogDestination", "LogDestinationType",
    "LogFormat", "LogGroupName", "MaxAggregationInterval", "ResourceId", "ResourceType", "TrafficType",
)  # fmt: skip


class Network:
    """Security-group rules of their own, and flow logs."""

    def __init__(self, emulation: Emulation) -> None:
        self._emulation = emulation

    def resource_types(self) -> list[ResourceType]:
        """The types of this module."""
        return [
            self._rules("Ingress"),
            self._rules("Egress"),
            ResourceType(
                name="AWS::EC2::FlowLog",
                create=self._create_flow_log,
                update=lambda request: Resource(request.physical_id, {"Id": request.physical_id}),  # tags only
                delete=lambda request: self._ec2.delete_flow_logs(FlowLogIds=[request.physical_id]),
                create_only=FLOW_LOG,
            ),
        ]

    @property
    def _ec2(self) -> Any:
        return self._emulation.client("ec2")

    def _rules(self, direction: str) -> ResourceType:
        def call(action: str, **arguments: Any) -> Any:
            return getattr(self._ec2, f"{action}_security_group_{direction.lower()}")(**arguments)

        def create(request: Request) -> Resource:
            answer = call("authorize", GroupId=request.properties["GroupId"], IpPermissions=[permission(request)])
            rule = answer["SecurityGroupRules"][0]["SecurityGroupRuleId"]
            return Resource(rule, {"Id": rule})

        def delete(request: Request) -> None:
            call("revoke", GroupId=request.properties["GroupId"], SecurityGroupRuleIds=[request.physical_id])

        return ResourceType(
            name=f"AWS::EC2::SecurityGroup{direction}",
            create=create,
            update=lambda request: Resource(request.physical_id, {"Id": request.physical_id}),  # its description only
            delete=delete,
            create_only=RULE,
        )

    def _create_flow_log(self, request: Request) -> Resource:
        properties = {name: value for name, value in request.properties.items() if name in FLOW_LOG}
        properties["ResourceIds"] = [properties.pop("ResourceId")]
        if "MaxAggregationInterval" in properties:
            properties["MaxAggregationInterval"] = request.number("MaxAggregationInterval")
        identifier = self._ec2.create_flow_logs(**properties)["FlowLogIds"][0]
        return Resource(identifier, {"Id": identifier})


def permission(request: Request) -> dict[str, Any]:
    """A rule of a template as the EC2 API writes it."""
    rule: dict[str, Any] = {"IpProtocol": str(request.properties["IpProtocol"])}
    for port in ("FromPort", "ToPort"):
        if port in request.properties:
            rule[port] = request.number(port)
    described = {"Description": text} if (text := request.properties.get("Description")) else {}
    for name, (peers, member) in PEERS.items():
        if name in request.properties:
            rule[peers] = [{member: request.properties[name], **described}]
    return rule

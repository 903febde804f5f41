"""What an environment deploys, drawn from its templates; the image follows the reader's light or dark scheme."""

import html
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from stacks.runbook.templates import of_type, said

Template = Mapping[str, Any]

WIDTH, HEIGHT = 980, 400
BOX_WIDTH, BOX_HEIGHT = 158, 76
COLUMNS, ROWS = (14, 202, 396, 602, 808), (46, 174, 302)  # left edges, top edges
STYLE = """text { font: 12px system-ui, sans-serif; fill: #1f2328; } .name { font-weight: 600; font-size: 13px; }
.box { fill: #f6f8fa; stroke: #8c959f; } .frame { fill: none; stroke: #8c959f; stroke-dasharray: 6 4; }
.edge { stroke: #0969da; stroke-width: 1.5; fill: none; } .head { fill: #0969da; } .soft { fill: #59636e; }
@media (prefers-color-scheme: dark) { text { fill: #e6edf3; } .box { fill: #161b22; stroke: #6e7681; }
.frame { stroke: #6e7681; } .edge { stroke: #58a6ff; } .head { fill: #58a6ff; } .soft { fill: #9198a1; } }"""


@dataclass(frozen=True)
class Box:
    """One part: its name, what the template says of it, and where it stands."""

    name: str
    lines: tuple[str, ...]
    column: int
    row: int

    @property
    def left(self) -> int:
        """Its left edge."""
        return COLUMNS[self.column]

    @property
    def top(self) -> int:
        """Its upper edge."""
        return ROWS[self.row]


def picture(name: str, templates: Mapping[str, Template]) -> str:
    """The image of an environment on RDS PostgreSQL, from its templates `data` and `service`."""
    boxes = dict(_boxes(templates["data"], templates["service"]))
    edges = [("Client", "Api"), ("Api", "Clients"), *_connections(templates["data"], boxes)]
    zones = len([*of_type(templates["data"], "AWS::EC2::Subnet")])
    ways_out = [
        *of_type(templates["data"], "AWS::EC2::NatGateway"),
        *of_type(templates["data"], "AWS::EC2::InternetGateway"),
    ]
    frame = f"VPC: isolated subnets in {zones} zones, {'a' if ways_out else 'no'} way to the internet"
    label = html.escape(
        f"{name}: a request goes from the HTTP API through a function and RDS Proxy to PostgreSQL", quote=True
    )
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{label}">',
            f"<style>{STYLE}</style>",
            '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" '
            'orient="auto"><path class="head" d="M0 0 8 4 0 8z"/></marker></defs>',
            f'<rect class="frame" x="{COLUMNS[2] - 14}" y="14" width="{WIDTH - COLUMNS[2] + 8}" height="250" rx="6"/>',
            f'<text class="soft" x="{COLUMNS[2]}" y="33">{html.escape(frame)}</text>',
            *(line for box in boxes.values() for line in _drawn(box)),
            *(_arrow(boxes[start], boxes[end]) for start, end in edges),
            "</svg>",
            "",
        ]
    )


def _boxes(data: Template, service: Template) -> Iterator[tuple[str, Box]]:
    """The parts, by the name that their security group has."""
    (stage,) = (each for _, each in of_type(service, "AWS::ApiGatewayV2::Stage"))
    routes = [each for _, each in of_type(service, "AWS::ApiGatewayV2::Route")]
    throttle = stage["DefaultRouteSettings"]
    authorisers = ", ".join(sorted({each["AuthorizationType"].removeprefix("AWS_") for each in routes}))
    yield "Client", Box("Client", ("signs its requests", f"({authorisers})"), 0, 0)
    rate = f"{throttle['ThrottlingRateLimit']}/s, {throttle['ThrottlingBurstLimit']} at once"
    yield "Api", Box("HTTP API", (f"{len(routes)} routes, {authorisers} on each", rate), 1, 0)
    (function,) = (each for _, each in of_type(service, "AWS::Lambda::Function"))
    reserved = f"{function['ReservedConcurrentExecutions']} reserved, {function['MemorySize']} MB"
    yield "Clients", Box("Function", (reserved, f"{function['Runtime']}, {function['Timeout']} s"), 2, 0)
    (proxy,) = (each for _, each in of_type(data, "AWS::RDS::DBProxy"))
    (target,) = (each for _, each in of_type(data, "AWS::RDS::DBProxyTargetGroup"))
    pool = target["ConnectionPoolConfigurationInfo"]
    tls = f"{'' if proxy['RequireTLS'] else 'optional '}TLS, IAM tokens"
    yield "Proxy", Box("RDS Proxy", (tls, f"a pool of {pool['MaxConnectionsPercent']} %"), 3, 0)
    (database,) = (each for _, each in of_type(data, "AWS::RDS::DBInstance"))
    standby = "with a standby" if database.get("MultiAZ") else "one zone"
    lines = (f"{database['DBInstanceClass']}, {standby}", f"{database['AllocatedStorage']} GiB, encrypted")
    yield "Database", Box(f"PostgreSQL {said(database['EngineVersion'])}", lines, 4, 0)
    yield "Migrations", Box("Migrations", ("when the zip changes,", "not through the proxy"), 4, 1)
    if secrets := [*of_type(data, "AWS::SecretsManager::Secret")]:
        yield "Rotation", Box("Rotation", (f"of {len(secrets)} passwords,", "not through the proxy"), 3, 1)
        yield "SecretsEndpoint", Box("Secrets Manager", (f"{len(secrets)} secrets,", "interface endpoint"), 3, 2)
    alarms = len([*of_type(service, "AWS::CloudWatch::Alarm"), *of_type(data, "AWS::CloudWatch::Alarm")])
    told = [each["Endpoint"] for _, each in of_type(data, "AWS::SNS::Subscription")]
    yield "CloudWatch", Box("CloudWatch", (f"{alarms} alarms, a dashboard", *(told or ["no address to notify"])), 1, 1)


def _connections(data: Template, boxes: Mapping[str, Box]) -> Iterator[tuple[str, str]]:
    """Who may open a connection to whom: what the security groups say."""
    for _, rule in of_type(data, "AWS::EC2::SecurityGroupIngress"):
        ends = (said(rule["SourceSecurityGroupId"]), said(rule["GroupId"]))
        start, end = (each.removeprefix("${Network").removesuffix(".GroupId}") for each in ends)
        if start in boxes and end in boxes:
            yield start, end


def _drawn(box: Box) -> Iterator[str]:
    yield (
        f'<rect class="box" x="{box.left}" y="{box.top}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="6"/>'
        f'<text class="name" x="{box.left + 10}" y="{box.top + 23}">{html.escape(box.name)}</text>'
    )
    for number, line in enumerate(box.lines):
        yield f'<text x="{box.left + 10}" y="{box.top + 43 + 18 * number}">{html.escape(line)}</text>'


def _arrow(start: Box, end: Box) -> str:
    if start.row == end.row:
        forward = start.left < end.left
        x1, x2 = (start.left + BOX_WIDTH, end.left) if forward else (start.left, end.left + BOX_WIDTH)
        y1 = y2 = start.top + BOX_HEIGHT // 2
    else:
        down = start.row < end.row
        y1, y2 = (start.top + BOX_HEIGHT, end.top) if down else (start.top, end.top + BOX_HEIGHT)
        x1, x2 = (each.left + BOX_WIDTH // 2 for each in (start, end))
        if x1 != x2:  # several arrows meet there
            x2 += 30 if x1 > x2 else -30
    return f'<line class="edge" x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" marker-end="url(#arrow)"/>'

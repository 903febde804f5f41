"""docs/api.html: the contract in docs/openapi.yaml as a page that any browser opens, with no script and no network."""

import html
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

Json = Mapping[str, Any]

VERBS = ("get", "post", "put", "patch", "delete")
STYLE = """
:root { color-scheme: light dark; --text: #1f2328; --soft: #59636e; --line: #d1d9e0;
  --link: #0969da; }
@media (prefers-color-scheme: dark) {
  :root { --text: #e6edf3; --soft: #9198a1; --line: #3d444d; --link: #58a6ff; } }
body { margin: 0 auto; max-width: 60rem; padding: 1rem 1.25rem 4rem; color: var(--text); background: Canvas;
  font: 16px/1.5 system-ui, sans-serif; }
h2 { margin-top: 2.5rem; border-top: 1px solid var(--line); padding-top: 1.5rem; font-size: 1.15rem; }
h2 code, nav code { overflow-wrap: anywhere; } .verb { font-weight: 700; } small, .soft { color: var(--soft); }
a { color: var(--link); } nav ul { list-style: none; padding: 0; } nav li { margin: .2rem 0; }
table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; }
th, td { text-align: left; vertical-align: top; padding: .35rem .75rem .35rem 0; border-bottom: 1px solid var(--line); }
code { font: .9em/1.45 ui-monospace, monospace; }
.table { overflow-x: auto; }
"""


def page(contract: str) -> str:
    """The page of a contract (OpenAPI 3.1 in YAML); raises ValueError for a reference that leads nowhere."""
    document = yaml.safe_load(contract)
    operations = [
        (verb, path, item, item[verb]) for path, item in document["paths"].items() for verb in VERBS if verb in item
    ]
    info = document["info"]
    body = [
        f"<h1>{_text(info['title'])} <small>version {_text(info['version'])}</small></h1>",
        f"<p>{_text(info['description'])}</p>",
        '<p class="soft">Every request is signed with AWS Signature Version 4 (IAM). Made from openapi.yaml by '
        "<code>make runbook</code>.</p>",
        "<nav><ul>",
        *(
            f'<li><a href="#{each["operationId"]}">{_route(v, p)}</a> {_text(each["summary"])}</li>'
            for v, p, _, each in operations
        ),
        "</ul></nav>",
        *(line for verb, path, item, each in operations for line in _operation(verb, path, item, each, document)),
        "<h2>Schemas</h2>",
        *(line for name, each in document["components"]["schemas"].items() for line in _schema(name, each)),
    ]
    head = '<meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">'
    title = f"<title>{_text(info['title'])}</title><style>{STYLE}</style>"
    return (
        f'<!DOCTYPE html>\n<html lang="en"><head>{head}{title}</head><body>\n' + "\n".join(body) + "\n</body></html>\n"
    )


def _operation(verb: str, path: str, item: Json, operation: Json, document: Json) -> Iterator[str]:
    yield f'<h2 id="{operation["operationId"]}">{_route(verb, path)}</h2>'
    yield f"<p>{_text(operation['summary'])}. {_text(operation.get('description', ''))}</p>"
    parameters = [_resolved(each, document) for each in (*item.get("parameters", ()), *operation.get("parameters", ()))]
    if parameters:
        rows = [
            (_code(each["name"]), each["in"], _kind(each["schema"]), _text(each.get("description", "")))
            for each in parameters
        ]
        yield _table(("parameter", "in", "value", "description"), rows)
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        yield "<p>Body, JSON:</p>"
        yield _fields(schema)
    answers: list[tuple[str, ...]] = []
    for status, answer in operation["responses"].items():
        found = _resolved(answer, document)
        kinds = [f"{_code(kind)} {_kind(each['schema'])}" for kind, each in found.get("content", {}).items()]
        headers = [f"header {_code(name)}" for name in found.get("headers", {})]
        answers.append((_code(status), _text(found["description"]), "<br>".join([*kinds, *headers])))
    yield _table(("status", "description", "content"), answers)


def _schema(name: str, schema: Json) -> Iterator[str]:
    yield f'<h3 id="{name}">{_code(name)}</h3>'
    if text := schema.get("description"):
        yield f"<p>{_text(text)}</p>"
    yield _fields(schema) if "properties" in schema else f"<p>{_kind(schema)}</p>"


def _fields(schema: Json) -> str:
    required = schema.get("required", [])
    rows = [
        (_code(name), "yes" if name in required else "no", _kind(each), _text(each.get("description", "")))
        for name, each in schema["properties"].items()
    ]
    return _table(("field", "required", "value", "description"), rows)


def _kind(schema: Json) -> str:
    """What a value may be, in words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f'<a href="#{name}">{_code(name)}</a>'
    if "enum" in schema:
        return "<br>".join(_code(each) for each in schema["enum"])
    if "const" in schema:
        return _code(json.dumps(schema["const"]))
    if schema.get("type") == "array":
        return f"array of {_kind(schema['items'])}"
    if "properties" in schema:
        return _fields(schema)
    words = {
        "minimum": " from",
        "maximum": " to",
        "minLength": ", length at least",
        "maxLength": ", length at most",
        "default": ", default",
    }
    limits = [f"{word} {schema[key]}" for key, word in words.items() if key in schema]
    kind = schema.get("format", schema.get("type", "any"))
    pattern = f", matches {_code(schema['pattern'])}" if "pattern" in schema else ""
    return f"{_text(''.join([kind, *limits]))}{pattern}"


def _resolved(value: Json, document: Json) -> Json:
    """What a reference leads to."""
    if "$ref" not in value:
        return value
    found: Any = document
    for part in value["$ref"].removeprefix("#/").split("/"):
        if part not in found:
            raise ValueError(f"docs/openapi.yaml refers to {value['$ref']}, which is not there")
        found = found[part]
    return dict(found)


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [f"<tr>{''.join(f'<td>{cell}</td>' for cell in row)}</tr>" for row in rows]
    head = f"<tr>{''.join(f'<th>{each}</th>' for each in heading)}</tr>"
    return f'<div class="table"><table>{head}{"".join(lines)}</table></div>'


def _route(verb: str, path: str) -> str:
    return f'<span class="verb">{verb.upper()}</span> {_code(path)}'


def _code(text: object) -> str:
    return f"<code>{html.escape(str(text))}</code>"


def _text(text: object) -> str:
    """Escaped, with what stands between backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", html.escape(str(text)))

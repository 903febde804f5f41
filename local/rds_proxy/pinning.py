"""Which statements pin a session to its server connection.

Decided from PostgreSQL's own parse tree, never from patterns. Sources: Amazon RDS User Guide, "Avoiding pinning an RDS
Proxy" (the list), and the proxy's published log lines ("If this prepared statement runs, the client session will be
pinned"), which say that a prepared SET pins when it runs. Where the guide is unclear this takes the stricter reading:
  - SET LOCAL, SET TRANSACTION, SET CONSTRAINTS and set_config(..., true) pin: "RDS Proxy does not pin connections when
    you use SET LOCAL" stands in the section for MySQL only. `set_local_pins=False` is the other reading.
  - A function counts wherever it stands in the statement, such as a column's DEFAULT nextval(...).
  - pg_advisory_unlock* pin ("functions such as pg_advisory_lock").
  - What the parser does not know pins if PostgreSQL ran it: nobody can say what it left behind.
currval and lastval do not pin: the guide says that lastval "isn't always accurate", which is only so without pinning.
What stored functions and DO blocks do is not seen, as on AWS.
"""

import functools
import json
import re
from collections.abc import Iterator
from typing import Any

from pglast.parser import ParseError, parse_sql_json

NUMBER = re.compile(rb"\b\d+\b")
TEXT_LIMIT = 16 * 1024  # bytes; "any statement with a text size greater than 16 KB"
UNPARSED = "the statement is in no syntax that the proxy knows, and PostgreSQL ran it"
NAMED_STATEMENT = "a named prepared statement was parsed (protocol message Parse)"
TOO_LONG = "the text of the statement is longer than 16 KB"
LOAD = "LOAD loads a library into the session"

STATEMENTS = {
    "VariableSetStmt": "SET changes a setting of the session",
    "ConstraintsSetStmt": "SET CONSTRAINTS changes a setting of the session",
    "PrepareStmt": "PREPARE makes a prepared statement",
    "ExecuteStmt": "EXECUTE uses a prepared statement",
    "DeallocateStmt": "DEALLOCATE drops a prepared statement",
    "DiscardStmt": "DISCARD drops the state of the session",
    "DeclareCursorStmt": "DECLARE makes a cursor",
    "ListenStmt": "LISTEN listens on a notification channel",
    "LoadStmt": LOAD,
}
SEQUENCE = "{} changes a sequence's state in the session"
LOCK = "{} deals with a lock of the session"
FUNCTIONS = {
    "set_config": "{} changes a setting of the session",
    "nextval": SEQUENCE,
    "setval": SEQUENCE,
    "pg_advisory_lock": LOCK,
    "pg_advisory_lock_shared": LOCK,
    "pg_try_advisory_lock": LOCK,
    "pg_try_advisory_lock_shared": LOCK,
    "pg_advisory_unlock": LOCK,
    "pg_advisory_unlock_shared": LOCK,
    "pg_advisory_unlock_all": LOCK,
}
TEMPORARY = "a temporary object is created"
CREATES_RELATION = {
    "CreateStmt": "relation",
    "base": "relation",  # of CREATE FOREIGN TABLE
    "ViewStmt": "view",
    "CreateSeqStmt": "sequence",
    "CompositeTypeStmt": "typevar",
    "IntoClause": "rel",
}
CREATES_NAME = {
    "CreateFunctionStmt": "funcname",
    "CreateDomainStmt": "domainname",
    "CreateEnumStmt": "typeName",
    "CreateRangeStmt": "typeName",
    "CreateStatsStmt": "defnames",
    "DefineStmt": "defnames",  # aggregates, operators, collations, text search
}
TRANSACTION_LOCAL = {"TRANSACTION", "TRANSACTION SNAPSHOT"}
# Every tree that pins has one of these in it. One that has none needs no closer look, however deep it is.
TELLTALE = re.compile(
    rf'"(?:{"|".join(STATEMENTS)})":\{{|"relpersistence":"t"|"pg_temp"|"sval":"(?:{"|".join(FUNCTIONS)})"'
)
CACHED_STATEMENTS = 2048

Node = dict[str, Any]


class Pinning:
    """The rules, with the answers for the statements seen last."""

    def __init__(self, *, set_local_pins: bool = True) -> None:
        self._set_local_pins = set_local_pins
        self._cached_reason = functools.lru_cache(CACHED_STATEMENTS)(self._reason)

    def reason(self, text: bytes) -> str | None:
        """Why `text` (one statement or several) pins, UNPARSED when the parser does not know it, or None."""
        if len(text) > TEXT_LIMIT:
            return TOO_LONG
        # Statements that differ in numbers only are parsed once: no rule looks at a number.
        reason = self._cached_reason(NUMBER.sub(b"1", text))
        return self._cached_reason(text) if reason == UNPARSED else reason  # the number may be an escape: U&'\0041'

    @property
    def parsed(self) -> int:
        """How many statements the parser has seen."""
        return self._cached_reason.cache_info().misses

    def _reason(self, text: bytes) -> str | None:
        try:
            tree = parse_sql_json(_decoded(text))
            return next(self._reasons(json.loads(tree)), None) if TELLTALE.search(tree) else None
        except (ParseError, ValueError, RecursionError):
            return UNPARSED

    def _reasons(self, tree: Node) -> Iterator[str]:
        for kind, node in _nodes(tree):
            if kind in STATEMENTS:
                if self._set_local_pins or not _ends_with_transaction(kind, node):
                    yield STATEMENTS[kind]
            elif kind == "FuncCall":
                yield from self._function_reason(node)
            elif _is_temporary(kind, node):
                yield TEMPORARY

    def _function_reason(self, call: Node) -> Iterator[str]:
        *schema, name = _names(call["funcname"])
        if name in FUNCTIONS and schema in ([], ["pg_catalog"]):
            is_local = name == "set_config" and _is_true(call.get("args", [])[2:])
            if self._set_local_pins or not is_local:
                yield FUNCTIONS[name].format(name)


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("latin-1")  # keywords are ASCII in every encoding a client can ask for


def _nodes(tree: Any) -> Iterator[tuple[str, Node]]:
    """Every node below `tree` with its kind; fields that hold one kind only carry the field's name."""
    waiting: list[Any] = [tree]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting.extend(value)
        elif isinstance(value, dict) and value.get("defname") != "set":  # CREATE FUNCTION … SET: not the session's
            for kind, child in value.items():
                if isinstance(child, dict):
                    yield kind, child
                waiting.append(child)


def _is_temporary(kind: str, node: Node) -> bool:
    if node.get("relpersistence") == "t":
        return True
    if kind in ("into", "intoClause"):
        kind = "IntoClause"
    if kind in CREATES_RELATION:
        return bool(node.get(CREATES_RELATION[kind], {}).get("schemaname") == "pg_temp")
    return kind in CREATES_NAME and _names(node.get(CREATES_NAME[kind], []))[:1] == ["pg_temp"]


def _ends_with_transaction(kind: str, node: Node) -> bool:
    return kind == "ConstraintsSetStmt" or (
        kind == "VariableSetStmt" and (node.get("is_local", False) or node.get("name") in TRANSACTION_LOCAL)
    )


def _names(strings: list[Node]) -> list[str]:
    return [string["String"].get("sval", "") for string in strings]


def _is_true(arguments: list[Node]) -> bool:
    return len(arguments) == 1 and bool(arguments[0].get("A_Const", {}).get("boolval", {}).get("boolval"))

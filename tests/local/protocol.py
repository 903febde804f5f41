"""Messages of the protocol, made one by one, and a client that sends them and tells what it hears."""

import os
import select
import socket
import struct
from collections.abc import Iterator
from typing import Any

import psycopg

from local.rds_proxy.messages import Request, c_string, message
from tests.local.conftest import ROLES

SILENCE = 3  # seconds
Transcript = list[tuple[str, bytes]]


def query(text: str) -> bytes:
    return message(Request.QUERY, c_string(text))


def parse(text: str, name: str = "", *types: int) -> bytes:
    return message(Request.PARSE, c_string(name) + c_string(text) + struct.pack(f"!H{len(types)}I", len(types), *types))


def bind(*values: bytes | None, portal: str = "", statement: str = "", binary: bool = False) -> bytes:
    written = b"".join(
        struct.pack("!i", -1) if value is None else struct.pack("!i", len(value)) + value for value in values
    )
    formats = struct.pack("!HH", 1, binary)
    return message(
        Request.BIND, c_string(portal) + c_string(statement) + struct.pack("!HH", 0, len(values)) + written + formats
    )


def describe(portal: str | None = None, statement: str = "") -> bytes:
    return message(Request.DESCRIBE, b"S" + c_string(statement) if portal is None else b"P" + c_string(portal))


def execute(rows: int = 0, portal: str = "") -> bytes:
    return message(Request.EXECUTE, c_string(portal) + struct.pack("!I", rows))


def close(portal: str | None = None, statement: str = "") -> bytes:
    return message(Request.CLOSE, b"S" + c_string(statement) if portal is None else b"P" + c_string(portal))


SYNC, FLUSH, DONE = message(Request.SYNC), message(Request.FLUSH), message(Request.COPY_DONE)


def row(text: str) -> bytes:
    return message(Request.COPY_DATA, text.encode())


def fail(text: str) -> bytes:
    return message(Request.COPY_FAIL, c_string(text))


def extended(text: str, *values: bytes | None, binary: bool = False) -> bytes:
    return parse(text) + describe() + bind(*values, binary=binary) + execute() + SYNC


class Raw:
    """A connection that was logged in by psycopg, and speaks message by message from then on."""

    def __init__(self, **parameters: Any) -> None:
        self._connection = psycopg.connect(user="app", password=ROLES["app"], dbname="one", **parameters)
        self._socket = socket.socket(fileno=os.dup(self._connection.pgconn.socket))
        self._socket.settimeout(SILENCE)
        self._read = b""

    def __enter__(self) -> "Raw":
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()
        self._connection.close()

    def say(self, data: bytes, until: str) -> Transcript:
        """Send, and read to the end of the kinds of messages in `until`, the end of the connection, or silence."""
        self._socket.setblocking(True)
        self._socket.settimeout(SILENCE)
        heard: Transcript = []
        waiting = list(until)
        sending = memoryview(data)
        while sending or waiting:
            readable, writable, _ = select.select([self._socket], [self._socket] if sending else [], [], SILENCE)
            if not readable and not writable:
                return [*heard, ("silence", b"")]
            if writable:
                try:
                    sending = sending[self._socket.send(sending[:60_000]) :]
                except OSError:
                    sending = memoryview(b"")
            if readable:
                try:
                    data = self._socket.recv(1 << 20)
                except OSError:
                    data = b""
                if not data:
                    return [*heard, ("closed", b"")]
                self._read += data
                for kind, body in self._messages():
                    heard.append((kind, body))
                    if waiting and kind == waiting[0]:
                        waiting.pop(0)
        return heard

    def _messages(self) -> Iterator[tuple[str, bytes]]:
        while len(self._read) >= 5:
            end = 1 + struct.unpack_from("!I", self._read, 1)[0]
            if len(self._read) < end:
                return
            kind, body, self._read = chr(self._read[0]), self._read[5:end], self._read[end:]
            yield kind, comparable(kind, body)


def comparable(kind: str, body: bytes) -> bytes:
    """The body without the process ids of backends, and without the ids of tables that each run makes anew."""
    if kind == "A":
        return body[4:]
    if kind != "T":
        return body
    fields, position = b"", 2
    while position < len(body):
        name_end = body.index(0, position)
        fields += body[position:name_end] + body[name_end + 5 : name_end + 19]
        position = name_end + 19
    return fields

"""The wire format of PostgreSQL's protocol 3.0, as far as a proxy needs it.

Source: PostgreSQL documentation, "Frontend/Backend Protocol", "Message Formats".
"""

import struct
from collections.abc import Mapping

HEADER = 5  # bytes: the kind and the length, which counts itself
LENGTH = struct.Struct("!I")
PROTOCOL_3_0 = 3 << 16
SSL_REQUEST = 80877103
GSS_REQUEST = 80877104
CANCEL_REQUEST = 80877102


class Request:
    """What a client sends; the value is the message's first byte."""

    BIND = ord("B")
    CLOSE = ord("C")
    COPY_DATA = ord("d")
    COPY_DONE = ord("c")
    COPY_FAIL = ord("f")
    DESCRIBE = ord("D")
    EXECUTE = ord("E")
    FLUSH = ord("H")
    FUNCTION_CALL = ord("F")
    PARSE = ord("P")
    PASSWORD = ord("p")
    QUERY = ord("Q")
    SYNC = ord("S")
    TERMINATE = ord("X")


class Answer:
    """What a server sends; the value is the message's first byte."""

    AUTHENTICATION = ord("R")
    BACKEND_KEY_DATA = ord("K")
    CLOSE_COMPLETE = ord("3")
    COPY_IN = ord("G")
    DATA_ROW = ord("D")
    ERROR = ord("E")
    PARAMETER_STATUS = ord("S")
    PARSE_COMPLETE = ord("1")
    READY_FOR_QUERY = ord("Z")


class Authentication:
    """What an Authentication message asks for."""

    OK = 0
    CLEARTEXT_PASSWORD = 3
    SASL = 10
    SASL_CONTINUE = 11
    SASL_FINAL = 12


IDLE = ord("I")  # ReadyForQuery's word for "not in a transaction"


def message(kind: int, body: bytes = b"") -> bytes:
    """One message: kind, length, body."""
    return bytes((kind,)) + LENGTH.pack(len(body) + 4) + body


def startup(parameters: Mapping[str, str]) -> bytes:
    """The first message of a client, which has no kind."""
    pairs = b"".join(c_string(name) + c_string(value) for name, value in parameters.items())
    return LENGTH.pack(len(pairs) + 9) + LENGTH.pack(PROTOCOL_3_0) + pairs + b"\0"


def c_string(text: str) -> bytes:
    """Text as the protocol writes it: UTF-8 and a zero byte. ValueError when the text holds a zero byte."""
    if "\0" in text:
        raise ValueError("a string of the protocol can't hold a zero byte")
    return text.encode("utf-8", "surrogateescape") + b"\0"


def authentication(code: int, data: bytes = b"") -> bytes:
    """An Authentication message."""
    return message(Answer.AUTHENTICATION, LENGTH.pack(code) + data)


def parameter_status(name: str, value: str) -> bytes:
    """A ParameterStatus message."""
    return message(Answer.PARAMETER_STATUS, c_string(name) + c_string(value))


def ready_for_query(status: int = IDLE) -> bytes:
    """A ReadyForQuery message."""
    return message(Answer.READY_FOR_QUERY, bytes((status,)))


def error(severity: str, sqlstate: str, text: str) -> bytes:
    """An ErrorResponse message."""
    fields = (("S", severity), ("V", severity), ("C", sqlstate), ("M", text))
    return message(Answer.ERROR, b"".join(name.encode() + c_string(value) for name, value in fields) + b"\0")


def error_fields(body: bytes) -> dict[str, str]:
    """The fields of an ErrorResponse by their one-letter names, such as C for the SQLSTATE."""
    return {chr(field[0]): field[1:].decode("utf-8", "replace") for field in body.split(b"\0") if field}


def strings(body: bytes) -> list[str]:
    """The zero-terminated strings that `body` is made of."""
    return [part.decode("utf-8", "surrogateescape") for part in body.split(b"\0")[:-1]]

"""The statements of an SQL file as MySQL reads it, to be sent one by one: it takes no more than one at a time."""

import re
from typing import NamedTuple

# Source: MySQL's manual, "Comments" and "String Literals". What is matched whole may hold a semicolon that ends
# nothing. /*! and /*+ are no comments: MySQL carries out the one and obeys the other.
TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*|--(?=[\s\x00-\x1f]|$)[^\n]*|/\*(?![!+]).*?\*/)
    |(?P<space>\s+)
    |'(?:[^'\\]|''|\\.)*'
    |"(?:[^"\\]|""|\\.)*"
    |`(?:[^`]|``)*`
    |(?P<end>;)
    |.""",
    re.VERBOSE | re.DOTALL,
)


class Statement(NamedTuple):
    """One statement: the line it begins on, from 1, and its text with neither semicolon nor comments around it."""

    line: int
    text: str

    @property
    def word(self) -> str:
        """Its first word, in upper case."""
        return self.text.split(maxsplit=1)[0].upper()


def split(text: str) -> list[Statement]:
    """The statements of a file in their order; an empty one is none."""
    statements: list[Statement] = []
    start, end = -1, -1  # of the statement without what is around it
    for token in TOKEN.finditer(text):
        if token.lastgroup == "end":
            _add(statements, text, start, end)
            start = -1
        elif token.lastgroup is None:
            start, end = token.start() if start < 0 else start, token.end()
    _add(statements, text, start, end)
    return statements


def _add(statements: list[Statement], text: str, start: int, end: int) -> None:
    if start >= 0:
        statements.append(Statement(text.count("\n", 0, start) + 1, text[start:end]))

"""Where the statements of an SQL file begin. PostgreSQL does not say which one failed: only how many went well."""

import re
from typing import NamedTuple

LETTER = r"A-Za-z_\x80-\U0010ffff"
SPACE = r"[ \t\n\r\f\v]"
# Source: PostgreSQL's manual, "Lexical Structure". What is matched whole may hold a semicolon that ends nothing.
TOKEN = re.compile(
    rf"""(?P<nothing>{SPACE}+|--[^\n]*)
    |(?P<comment>/\*)
    |(?P<dollar>\$(?:[{LETTER}][{LETTER}0-9]*)?\$)
    |[eE]'(?:[^'\\]|''|\\.)*'(?:{SPACE}*\n{SPACE}*'(?:[^'\\]|''|\\.)*')*
    |'[^']*'
    |"[^"]*"
    |(?P<word>[{LETTER}][{LETTER}0-9$]*)
    |.""",
    re.VERBOSE | re.DOTALL,
)
COMMENT_EDGE = re.compile(r"/\*|\*/")


class Statement(NamedTuple):
    """One statement: the line it begins on, from 1, and its first words in lower case."""

    line: int
    words: tuple[str, ...]


def split(text: str) -> list[Statement]:
    """The statements of a file in their order, counted as PostgreSQL counts them: an empty one is none."""
    statements: list[Statement] = []
    line, parentheses, blocks, position = 0, 0, 0, 0
    words: list[str] = []
    while position < len(text):
        match = TOKEN.match(text, position)
        if match is None:
            raise AssertionError("the last alternative matches anything")
        lexeme, kind, start = match[0], match.lastgroup, position
        position = _end(text, match)
        if kind in ("nothing", "comment"):
            continue
        if lexeme == ";" and parentheses == 0 and blocks == 0:
            if line:
                statements.append(Statement(line, tuple(words[:4])))
            line, words = 0, []
            continue
        line = line or text.count("\n", 0, start) + 1
        parentheses = max(0, parentheses + (lexeme == "(") - (lexeme == ")"))
        if kind == "word":
            words.append(lexeme.lower())
            blocks = _blocks(words, blocks) if parentheses == 0 else blocks
    return [*statements, Statement(line, tuple(words[:4]))] if line else statements


def _end(text: str, match: re.Match[str]) -> int:
    if match.lastgroup == "dollar":
        closing = text.find(match[0], match.end())
        return len(text) if closing < 0 else closing + len(match[0])
    if match.lastgroup == "comment":
        return _end_of_comment(text, match.end())
    return match.end()


def _end_of_comment(text: str, position: int) -> int:
    """Comments nest."""
    depth = 1
    for edge in COMMENT_EDGE.finditer(text, position):
        depth += 1 if edge[0] == "/*" else -1
        if depth == 0:
            return edge.end()
    return len(text)


def _blocks(words: list[str], blocks: int) -> int:
    """How many BEGIN ATOMIC … END and CASE … END are open: semicolons in the body of an SQL function end nothing."""
    head = [word for word in words[:4] if word not in ("or", "replace")]
    if head[0] != "create" or len(head) < 2 or head[1] not in ("function", "procedure"):
        return 0
    match words[-1]:
        case "begin":
            return blocks + 1
        case "case" if blocks:
            return blocks + 1
        case "end" if blocks:
            return blocks - 1
    return blocks

"""A file is split into statements as PostgreSQL's own parser splits it, so that a failure is shown at its line."""

import pglast
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lambda_src.migrations.handler import MIGRATIONS
from lambda_src.migrations.statements import split

# Statements in which a semicolon, a quote, or a comment's edge ends nothing.
STATEMENTS = [
    "SELECT 1",
    "SELECT ';'",
    "SELECT 'it''s; done', \"a;b\"",
    "SELECT E'a\\';b', e'\\\\'",
    "SELECT E'a'\n  'b\\';c'",
    "SELECT U&'a;\\0061', N';', B'1'",
    "SELECT $$;$$, $a$ $$ ; $b$ $a$",
    "SELECT a$b$ FROM t",
    "SELECT 1 -- ; not yet '",
    "SELECT /* ; /* ' ; */ $$ */ 2",
    "SELECT 1 /* at\nthe end; */",
    "DO $do$ BEGIN PERFORM 1; PERFORM 2; END $do$",
    "CREATE RULE r AS ON INSERT TO t DO (SELECT 1; SELECT 2)",
    "CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1; SELECT 2'",
    "CREATE FUNCTION f(a int DEFAULT (1)) RETURNS int BEGIN ATOMIC SELECT 1; SELECT CASE WHEN a > 1 THEN 2 END; END",
    "CREATE OR REPLACE PROCEDURE p() BEGIN ATOMIC\n INSERT INTO t VALUES (1);\n END",
    "SELECT CASE WHEN true THEN 'begin' END",
    "CREATE TABLE begin_end (\"begin\" int, c text DEFAULT ';')",
    "INSERT INTO t VALUES ('ünïcode; \N{SNOWMAN}')",
]
BETWEEN = [";", ";\n", " ;;\n\n", "; -- ; a comment's; own\n", ";\n/* another; /* nested; */ ' */\n", ";\r\n\t", ";\f"]


def lines_by_postgresql(text):
    comments = ("SQL_COMMENT", "C_COMMENT")
    starts = [token.start for token in pglast.parser.scan(text) if token.name not in comments]
    found = []
    for part in pglast.split(text, with_parser=True, only_slices=True):
        begin = next(start for start in starts if start >= part.start)
        found.append(text.count("\n", 0, begin) + 1)
    return found


@given(st.lists(st.tuples(st.sampled_from(STATEMENTS), st.sampled_from(BETWEEN)), min_size=1, max_size=6))
def test_statements_begin_where_postgresql_says(parts):
    text = "".join(statement + ("\n" if "--" in statement else "") + end for statement, end in parts)
    assert [statement.line for statement in split(text)] == lines_by_postgresql(text)


@pytest.mark.parametrize("statement", STATEMENTS)
def test_each_is_one_statement(statement):
    assert len(split(statement)) == len(split(f"{statement}\n;\n")) == 1


@pytest.mark.parametrize("text", ["", "\n", ";;\n;", "-- only\n/* comments; */", " /* unfinished; "])
def test_nothing_is_no_statement(text):
    assert split(text) == []


@pytest.mark.parametrize("text", ["SELECT 'unfinished; ", "SELECT $a$ unfinished; $b$", 'SELECT "unfinished; '])
def test_what_postgresql_will_refuse_is_split_without_an_error(text):
    assert split(text)


@pytest.mark.parametrize("path", sorted(MIGRATIONS.glob("*.sql")), ids=lambda path: path.name)
def test_the_services_own_migrations_are_split_as_postgresql_splits_them(path):
    text = path.read_text()
    assert [statement.line for statement in split(text)] == lines_by_postgresql(text)


def test_the_first_words_are_known():
    assert split("/* a */ Commit;")[0].words == ("commit",)
    assert split("CREATE OR REPLACE FUNCTION f() ...")[0].words == ("create", "or", "replace", "function")

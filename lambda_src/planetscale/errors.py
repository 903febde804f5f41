"""What an error of MySQL means for the request: try again, or answer."""

from pymysql.err import MySQLError

from lambda_src.database.retry import Verdict

ACCESS_DENIED = 1045
DUPLICATE = 1062
# Numbers with which MySQL or Vitess refuses before anything was done, or undoes everything that was.
UNDONE = {
    0,  # PyMySQL: the connection was closed before, so nothing was sent
    1040,  # too many connections
    1203,  # the user has too many connections, and
    1226,  # the same as MariaDB says it
    1205,  # lock wait timeout: the statement, which is all of its transaction, is undone
    1213,  # deadlock
    1290,  # read-only: the connection still leads to what was the primary before a failover
    1836,
    4031,  # disconnected for being idle: sent before the statement came
}
# Numbers after which the connection is of no use, and the statement may have been carried out.
CONNECTION_IS_GONE = {
    1053,  # server shutdown in progress
    1927,  # connection was killed
    2006,  # server has gone away
    2013,  # lost connection during query
    2014,  # commands out of sync
    2027,  # malformed packet
}
NOT_USABLE = {0, 1290, 1836, 4031} | CONNECTION_IS_GONE
# Numbers that say the database can't serve now; trying again at once would only add to it.
UNAVAILABLE = {
    1021,  # disk full, of a temporary file, and
    1114,  # of a table
    1030,  # the storage engine failed: its disk, most likely
    1037,  # out of memory
    1041,
    1206,  # the table of locks is full
    1129,  # host is blocked because of many connection errors
    1317,  # query execution was interrupted
    1969,  # MariaDB's max_statement_time
    3024,  # MySQL's max_execution_time
}
# Vitess puts many causes behind one number, so here alone the text decides. Of these nothing was committed.
OF_VITESS = {1105, 1317}
TRANSACTION_ENDED = ("code = aborted", "transaction ended")
NOT_REACHED = "unavailable"


def number_of(error: MySQLError) -> int | None:
    """The error's number, None where it has none: what came was not as MySQL speaks."""
    number = error.args[0] if error.args else None
    return number if isinstance(number, int) else None


def verdict(error: MySQLError, *, connecting: bool, broken: bool) -> Verdict:
    """Judge an error by its number and by when it came.

    `connecting` says that no statement was sent yet, `broken` that the connection is unusable after it.
    """
    number = number_of(error)
    if connecting:
        return Verdict.RECONNECT
    if number in UNDONE:
        return Verdict.RETRY
    if number in OF_VITESS:
        text = str(error).lower()
        if any(words in text for words in TRANSACTION_ENDED):
            return Verdict.RETRY
        if NOT_REACHED in text:
            return Verdict.RETRY_IF_IDEMPOTENT
    if number in UNAVAILABLE:
        return Verdict.UNAVAILABLE
    if broken or number is None or number in CONNECTION_IS_GONE:
        return Verdict.RETRY_IF_IDEMPOTENT
    return Verdict.RAISE

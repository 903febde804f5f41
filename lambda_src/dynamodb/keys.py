"""The keys that sign cursors, in the table beside what they protect; they are replaced and deleted by themselves."""

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress

from lambda_src.dynamodb.table import ConditionFailed, Table

PARTITION = "CURSOR_KEYS"
REMEMBERED = 300  # seconds until the table is asked again
SIGNS = 30 * 86_400  # seconds after which a key gets a successor
VERIFIES = SIGNS + 7 * 86_400  # seconds that a key is good for: a cursor lives a week or longer


class CursorKeys(Mapping[int, bytes]):
    """Key id to secret, the newest with the highest id.

    Read from the table when `refresh` finds them old, and when a key is asked for that came after them: another
    execution environment made it.
    """

    def __init__(self, table: Table, clock: Callable[[], float] = time.time) -> None:
        self._table = table
        self._clock = clock
        self._secrets: dict[int, bytes] = {}
        self._last_id = 0  # of those that have expired as well: an id is not used again
        self._expiry = 0
        self._read_at = float("-inf")

    def refresh(self) -> None:
        """Read the keys unless they were read lately; the newest gets a successor in time, the first is made here."""
        if self._clock() - self._read_at < REMEMBERED:
            return
        self._read()
        if not self._secrets or self._expiry - self._clock() < VERIFIES - SIGNS:
            self._make(self._last_id + 1)
            self._read()

    def __getitem__(self, id: int) -> bytes:
        is_newer = bool(self._secrets) and id > max(self._secrets)
        if is_newer and self._clock() - self._read_at > 1:  # a second: forged ids must not cost a request each
            self._read()
        return self._secrets[id]

    def __iter__(self) -> Iterator[int]:
        return iter(self._secrets)

    def __len__(self) -> int:
        return len(self._secrets)

    def _read(self) -> None:
        answer = self._table.request(
            "query",
            KeyConditionExpression="PK = :keys",
            ExpressionAttributeValues={":keys": {"S": PARTITION}},
            ConsistentRead=True,
        )
        now = self._clock()
        keys = {int(item["SK"]["S"].removeprefix("KEY#")): item for item in answer["Items"]}
        expiry = {id: int(item["expires_at"]["N"]) for id, item in keys.items()}
        # The table's TTL deletes what has expired, but days later.
        self._secrets = {id: item["secret"]["B"] for id, item in keys.items() if expiry[id] > now}
        self._last_id = max(keys, default=0)
        self._expiry = expiry.get(self._last_id, 0)
        self._read_at = now

    def _make(self, id: int) -> None:
        item = {
            "PK": {"S": PARTITION},
            "SK": {"S": f"KEY#{id:010}"},
            "secret": {"B": os.urandom(32)},
            "expires_at": {"N": str(int(self._clock()) + VERIFIES)},
        }
        # Where another execution environment was first, its key is as good.
        with suppress(ConditionFailed):
            self._table.request("put_item", Item=item, ConditionExpression="attribute_not_exists(PK)")

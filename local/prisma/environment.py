"""The environment `local` with the function on Prisma, for `make up STORE=prisma`."""

from stacks.config import Function

CHANGES = {"api": Function(reserved_concurrency=5, runtime="prisma", connect_timeout_seconds=3, deadline_seconds=4)}

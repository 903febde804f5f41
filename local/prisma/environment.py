"""The environment `local` with the function on Prisma, for `make up STORE=prisma`."""

from dataclasses import replace

from stacks.environments import LOCAL

CHANGES = {"api": replace(LOCAL.api, runtime="prisma", connect_timeout_seconds=3, deadline_seconds=4)}

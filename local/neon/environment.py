"""The environment `local` on Neon, for `make up STORE=neon`."""

from stacks.options.neon import Neon

CHANGES = {"store": Neon(secret_name="local/neon")}  # noqa: S106 (its name)

"""The environment `local` on Neon, for `make up STORE=neon`."""

from stacks.options.neon import Neon

SECRET = "local/neon"  # noqa: S105 (its name)
CHANGES = {"store": Neon(secret_name=SECRET)}

"""The environment `local` on PlanetScale, for `make up STORE=planetscale`."""

from stacks.options.planetscale import PlanetScale

NAME = "local/planetscale"
CHANGES = {"store": PlanetScale(secret_name=NAME, migrations_secret_name=f"{NAME}/migrations")}

"""The environment `local` on PlanetScale, for `make up STORE=planetscale`."""

from stacks.options.planetscale import PlanetScale

SECRETS = {"application": "local/planetscale", "migrator": "local/planetscale/migrations"}
CHANGES = {"store": PlanetScale(secret_name=SECRETS["application"], migrations_secret_name=SECRETS["migrator"])}

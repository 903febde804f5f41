"""An environment on the option, the way docs/options/planetscale.md says."""

from dataclasses import replace

from stacks.environments import DEV, SERVICE
from stacks.options.planetscale import PlanetScale

EXAMPLE = replace(DEV, name="planetscale", store=PlanetScale(secret_name=f"{SERVICE}/dev/planetscale"))

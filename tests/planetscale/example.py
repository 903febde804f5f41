"""An environment on the option, the way docs/options/planetscale.md says."""

from dataclasses import replace

from stacks.options.planetscale import PlanetScale
from tests.environments import DEV, SERVICE

EXAMPLE = replace(DEV, name="planetscale", store=PlanetScale(secret_name=f"{SERVICE}/dev/planetscale"))

"""PlanetScale, a MySQL outside the account. docs/options/planetscale.md says when to choose it."""

from stacks.options.planetscale.store import PlanetScale

__all__ = ["PlanetScale"]

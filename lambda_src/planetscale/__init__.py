"""How a function reaches PlanetScale's MySQL. A fork that uses PlanetScale keeps this folder as it is."""

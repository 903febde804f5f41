"""How a function reaches a PostgreSQL outside the account, by a URL from Secrets Manager: Neon's, or PlanetScale's."""

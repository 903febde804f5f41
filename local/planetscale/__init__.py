"""What stands in for PlanetScale: a MariaDB with TLS, and secrets with its URLs."""

"""The schema, applied at every deployment, directly to the database and before the proxy's pool opens."""

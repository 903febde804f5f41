"""The schema, applied by deployments of changed code, directly to the database and before the proxy's pool opens."""

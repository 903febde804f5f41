"""What stands in for Neon on one machine: PostgreSQL behind PgBouncer, TLS and SCRAM in front, and SQL over HTTP."""

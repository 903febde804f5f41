"""A stand-in for Amazon RDS Proxy. See README.md."""

"""A stand-in for Amazon RDS Proxy: `python -m local.rds_proxy --help`."""

"""Functions on SQLAlchemy, which `python -m benchmarks handler` compares with the service's."""

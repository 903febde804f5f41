"""Which functions are compared, by the name that their figures have."""

OTHERS = {
    "SQLAlchemy variant": "benchmarks.sqlalchemy.variant",
    "SQLAlchemy with pre-ping": "benchmarks.sqlalchemy.pre_ping",
}

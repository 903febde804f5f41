"""An engine of SQLAlchemy with the rules of lambda_src/database. docs/options/sqlalchemy.md says how to use it."""

"""Rotation of the database's passwords: one user at a time, directly on the database instance."""

"""Neon, or another PostgreSQL outside the account. docs/options/neon.md says when to choose it."""

from stacks.options.neon.store import Neon

__all__ = ["Neon"]

"""PostgreSQL on RDS behind RDS Proxy, the default: its two stacks, what is in them, and what is said of it.

An option has the same parts in stacks/options/<name>; the files beside this folder are what every store shares.
"""

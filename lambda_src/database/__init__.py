"""How a function reaches its database. A fork keeps this folder as it is.

Nothing is imported here: a store's zip holds only the driver that the store needs.
"""

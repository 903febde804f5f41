"""`make spike`: many execution environments against one PostgreSQL, first directly, then through the stand-in."""

"""The local AWS: ministack, and what the templates need that it lacks. Runs in an environment of its own."""

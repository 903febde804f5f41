"""Benchmarks of the sample itself, and of the same made otherwise. They go with it."""

BENCHMARKS = ("round_trips", "handler", "serialization")

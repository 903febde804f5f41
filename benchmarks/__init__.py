"""Counts and ratios. A time is only ever reported beside a baseline that was measured in the same minutes."""

"""The connection budget judged, for synth, for documents, and for a terminal (`python -m stacks.budget prod`)."""

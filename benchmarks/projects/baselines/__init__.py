"""Handlers to compare with, written after the patterns that public samples use; each file is a function by itself."""

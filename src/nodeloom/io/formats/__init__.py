"""Formats of graphs that are told by the first bytes of a file: those that are read, and those that are refused by name."""

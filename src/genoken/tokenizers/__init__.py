"""FAMILY: each module turns rows of a matrix into packed tokens."""

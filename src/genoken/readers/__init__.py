"""FAMILY: each module reads one kind of file into Samples."""

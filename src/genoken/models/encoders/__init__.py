"""FAMILY: each module holds the settings of one network body."""

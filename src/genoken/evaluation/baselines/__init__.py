"""FAMILY: each module holds one simple rival."""

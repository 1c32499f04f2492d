"""FAMILY: each module divides samples into train, validation and test."""

"""FAMILY: each module attributes outputs to tokens in one way."""

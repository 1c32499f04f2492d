"""Layers that the encoders are made of."""

"""Tensors in, tensors out: embeddings, encoders, heads."""

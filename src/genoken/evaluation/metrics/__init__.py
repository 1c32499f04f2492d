"""Scores of predictions, scikit-learn's wherever it has them."""

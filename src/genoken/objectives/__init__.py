"""FAMILY: each module says what is learned: targets, loss, predictions. Never a layer."""

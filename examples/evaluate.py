"""Score the model of train.py on another data set that has labels."""

import genoken

metrics = genoken.evaluate("runs/train", "runs/other.h5ad")
print(metrics["verdict"])
print(metrics["test"]["model"]["accuracy"], "accuracy of", metrics["test"]["samples"], "cells")

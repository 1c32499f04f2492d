"""Metrics, baselines, intervals, calibration, leakage and the verdict."""

"""What genetics would say without a network: single-variant regressions and fine-mapping."""

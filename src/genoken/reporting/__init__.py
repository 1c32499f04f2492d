"""Results to plots, tables and a self-contained page. Imports no torch."""

"""The only importer of Lightning: training steps, data loading, optimizer, checkpoints."""

"""Which samples, in which order, in which batches; and whether they can be used at all."""

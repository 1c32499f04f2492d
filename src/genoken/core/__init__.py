"""Words that every other part speaks: contracts, layouts, batches, settings, errors, randomness. Imports no other part."""

"""Feature identity: gene identifiers, one id space, alignment of a file's features to a vocabulary with a report of losses."""

"""What the model looks at, with the controls that say whether to believe it."""

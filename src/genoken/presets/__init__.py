"""Named configurations as strict YAML files."""

"""YAML to validated, immutable settings; JSON Schema; reload diff."""

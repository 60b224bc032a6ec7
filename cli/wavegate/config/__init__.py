"""From the rollout file a person writes to the settings the core plans with."""

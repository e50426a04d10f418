"""People's homes as the hub sees them: where they are, how full, and who may write."""

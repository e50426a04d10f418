"""What the wall of people costs: its first paint, how soon it follows, and the hub's CPU for it."""

"""The nodes of a cluster: how they are, what they have left, and what follows when one is away."""

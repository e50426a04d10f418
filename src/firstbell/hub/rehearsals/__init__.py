"""A crowd of test people, let in and cleared away."""

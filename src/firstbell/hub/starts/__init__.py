"""From a click to a running server: the room's door, the queue, the start, what is shown meanwhile, and the end."""

"""The real hub and the real proxy of a course whose servers are simulated: as many as one likes, on any machine."""

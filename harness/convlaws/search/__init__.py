"""Many cases: what to draw, for how long, in how many processes; shrinking."""

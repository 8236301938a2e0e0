"""Other people's libraries, each in a process of its own, and the host that runs them there."""

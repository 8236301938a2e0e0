"""One call in a child process that may crash, hang or use up memory. Knows requests, not methods."""

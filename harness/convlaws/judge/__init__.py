"""One case to one verdict: (method, law, problem). Draws nothing."""

"""Who can be judged: the table of methods, versions in environments, users' functions, other packages' rows."""

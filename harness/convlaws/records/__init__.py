"""What is on file: findings, timings, coverage, environment; reading, adding and comparing files. Runs nothing."""

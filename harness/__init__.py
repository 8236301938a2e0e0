"""convlaws: what is true of convolutions, and who keeps it."""

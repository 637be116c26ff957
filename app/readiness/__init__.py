"""Whether this copy is alive, and ready to serve."""

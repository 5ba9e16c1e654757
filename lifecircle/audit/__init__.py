"""Whether data and results can be trusted."""

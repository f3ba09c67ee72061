"""For one other package each, imported only where it is installed."""

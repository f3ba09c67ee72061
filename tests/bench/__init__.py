"""What a guess costs, beside the bare view and beside the peers: see __main__.py."""

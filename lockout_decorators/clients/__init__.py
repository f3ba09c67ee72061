"""Who is counted: addresses, identities, keys."""

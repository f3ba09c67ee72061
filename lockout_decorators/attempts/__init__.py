"""One guess from claim to verdict."""

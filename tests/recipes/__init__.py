"""The recipes of the documentation, each with the tests that prove that its door holds."""

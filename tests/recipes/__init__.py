"""The recipes of the documentation, and the proof that each door holds: a module with the recipe, one with its tests."""

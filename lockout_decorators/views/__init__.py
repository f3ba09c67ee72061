"""What is decorated: its name, and how it is called."""

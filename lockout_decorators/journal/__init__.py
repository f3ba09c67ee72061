"""What is on file about locks, for people: each under its reference, and the recent ones in a list of bounded size."""

"""What stands on file for a counter, and how it changes: no I/O, no clock, no Django."""

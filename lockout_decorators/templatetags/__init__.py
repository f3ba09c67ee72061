"""What templates ask: `{% load lockout %}`."""

"""The app: gives the template, the translations, the system checks and the management commands."""

from django.apps import AppConfig


class LockoutDecoratorsConfig(AppConfig):
    """Optional: the decorators work without it."""

    name = "lockout_decorators"
    verbose_name: str = "Lockout decorators"

    def ready(self) -> None:
        """Register the checks."""
        from . import checks  # noqa: F401, PLC0415

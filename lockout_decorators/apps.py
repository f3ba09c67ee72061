"""The app: gives the template, the translations, the checks and the management command."""

from django.apps import AppConfig


class LockoutDecoratorsConfig(AppConfig):
    """Optional: the decorators and the system checks work without it."""

    name = "lockout_decorators"
    verbose_name: str = "Lockout decorators"

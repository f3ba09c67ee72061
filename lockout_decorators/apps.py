"""The app: gives the template, the translations, the checks and the management command."""

from django.apps import AppConfig


class LockoutDecoratorsConfig(AppConfig):
    name = "lockout_decorators"
    verbose_name: str = "Lockout decorators"

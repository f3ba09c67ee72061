"""What a mailed link leads to: `path("unlock/", include("lockout_decorators.urls"))`."""

from django.urls import URLPattern, path

from .mail.views import unlock

app_name: str = "lockout"
urlpatterns: list[URLPattern] = [path("<str:token>/", unlock, name="unlock")]

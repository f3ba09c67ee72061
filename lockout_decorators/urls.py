"""What a mailed link leads to: `path("unlock/", include("lockout_decorators.urls"))`."""

from django.urls import path

from .mail.views import unlock

app_name = "lockout"
urlpatterns = [path("<str:token>/", unlock, name="unlock")]

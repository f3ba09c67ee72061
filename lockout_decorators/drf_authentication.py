"""For authentication classes of Django REST framework: what they verify is a guess."""

from typing import TYPE_CHECKING, Any

from django.views.decorators.debug import sensitive_variables

if TYPE_CHECKING:
    from rest_framework.authentication import BasicAuthentication as Base

    from .policy import LockoutPolicy
else:
    Base = object


class LockoutAuthentication(Base):
    """Goes before a class that verifies in `authenticate_credentials`, as DRF's token and basic authentication do:

        class Tokens(LockoutAuthentication, TokenAuthentication):
            lockout_policy = LockoutPolicy(scope="api", max=20)

    Exact: every credential that a request presents takes a slot before it is looked up, and a right one gives it back.
    Requests without credentials are not counted. Raises LockedOut, which DRF answers.
    """

    lockout_policy: "LockoutPolicy"

    def authenticate(self, request: Any) -> Any:
        self._lockout_request = request
        return super().authenticate(request)

    @sensitive_variables()
    def authenticate_credentials(self, *credentials: Any, **options: Any) -> Any:
        username = credentials[0] if len(credentials) > 1 else None  # beside a password; a token is none
        with self.lockout_policy.attempt(self._lockout_request, username) as attempt:
            found = super().authenticate_credentials(*credentials, **options)
            attempt.succeed()
        return found

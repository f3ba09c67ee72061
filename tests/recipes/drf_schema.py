"""drf-spectacular: the schema says which views may answer with 429."""

# fmt: off
# recipe
from drf_spectacular.authentication import BasicScheme
from drf_spectacular.openapi import AutoSchema

from lockout_decorators.contrib.drf import LockoutAuthentication

REFUSAL = {
    "description": "Too many failed attempts.",
    "headers": {
        "Retry-After": {
            "schema": {"type": "integer"},
            "description": "Seconds to wait.",
        }
    },
    "content": {
        "application/json": {
            "schema": {
                "type": "object",
                "properties": {"detail": {"type": "string"}},
            }
        }
    },
}


class Schema(AutoSchema):
    """For `DEFAULT_SCHEMA_CLASS`."""

    def get_operation(self, *args, **kwargs):
        operation = super().get_operation(*args, **kwargs)
        if operation and self.is_guarded():
            operation["responses"].setdefault("429", REFUSAL)
        return operation

    def is_guarded(self):
        handler = getattr(
            self.view, getattr(self.view, "action", None) or self.method.lower()
        )
        return (
            hasattr(self.view, "lockout_policies")
            or hasattr(handler, "lockout_policies")
            or any(
                isinstance(one, LockoutAuthentication)
                for one in self.view.get_authenticators()
            )
        )


class GuardedBasicScheme(BasicScheme):
    match_subclasses = True  # describes those of BasicAuthentication, too
    priority = 0


# end

"""A strict Content-Security-Policy: scripts and styles are files of this site. Django has its own from 6.0 on."""

import secrets

from django.utils.deprecation import MiddlewareMixin

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self' 'nonce-{}'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


class ContentSecurityPolicy(MiddlewareMixin):
    """The page of a lock has its style in itself, with the nonce that allows it."""

    def process_request(self, request):
        request.csp_nonce = secrets.token_urlsafe(16)

    def process_response(self, request, response):
        response.headers["Content-Security-Policy"] = POLICY.format(request.csp_nonce)
        return response


def csp_nonce(request):
    """For templates."""
    return {"csp_nonce": request.csp_nonce}

"""Who sends an API request: the header's secret, and the organization that it opens."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from productive.accounts.models import ApiToken, User

TOKEN_HEADER = "X-Auth-Token"  # noqa: S105
ORGANIZATION_HEADER = "X-Organization-Id"


class TokenAuthentication(BaseAuthentication):
    """`X-Auth-Token` names the user and the organization; `X-Organization-Id` may only confirm the latter."""

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """Raise AuthenticationFailed for a secret that opens nothing, the same for every reason why."""
        secret = request.headers.get(TOKEN_HEADER)
        if secret is None:
            return None
        now = timezone.now()
        tokens = ApiToken.objects.with_secret(secret).select_related("user", "organization")
        token = tokens.with_seats().first()
        if token is None or not token.is_live(now):
            raise AuthenticationFailed
        claimed = request.query_params.getlist(ORGANIZATION_HEADER)
        if ORGANIZATION_HEADER in request.headers:
            claimed.append(request.headers[ORGANIZATION_HEADER])
        if any(claim != str(token.organization_id) for claim in claimed):
            raise PermissionDenied
        if not token.has_seat:
            raise PermissionDenied
        token.touch(now)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return TOKEN_HEADER


class TokenPermission(BasePermission):
    """A token is needed for everything, and a read-write one for changes."""

    def has_permission(self, request: Request, view: Any) -> bool:
        token: Any = request.auth
        return token is not None and (request.method in SAFE_METHODS or not token.read_only)

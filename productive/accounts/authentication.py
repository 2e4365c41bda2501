"""Who sends an API request: the header's secret, and the organization that it opens."""

from __future__ import annotations

from itertools import islice
from typing import Any, ClassVar

from django.db import DEFAULT_DB_ALIAS, models
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from productive.accounts.models import ApiToken, Organization, User, digest
from productive.accounts.throttles import throttle_failed_authentication, throttle_token
from productive.database import replicas
from productive.database.query_cache import Prepared

TOKEN_HEADER = "X-Auth-Token"  # noqa: S105
ORGANIZATION_HEADER = "X-Organization-Id"


LOADED: tuple[tuple[type[models.Model], str], ...] = (
    (ApiToken, ""),
    (User, "user__"),
    (Organization, "organization__"),
)
NAMES = {model: [field.attname for field in model._meta.concrete_fields] for model, _ in LOADED}


def tokens_with(digest: str) -> models.QuerySet[ApiToken, Any]:
    """The token with its user and organization, column by column, and what else is asked of all three."""
    tokens = ApiToken.objects.filter(digest=digest).with_seats()
    asked = ["has_seat"]
    if replicas.is_configured():
        tokens = tokens.annotate(noted_position=replicas.noted_position())
        asked.append("noted_position")
    return tokens.values_list(*(f"{path}{name}" for model, path in LOADED for name in NAMES[model]), *asked)


TOKENS = Prepared(ApiToken, tokens_with, "digest")


def find_token(secret: str) -> Any:
    """The token that the secret belongs to, with what its request asks of it; None where it opens nothing.

    It is found by its digest: nothing to compare, nothing to time.
    """
    for row in TOKENS.rows(digest(secret)):
        values = iter(row)
        loaded = [
            model.from_db(DEFAULT_DB_ALIAS, NAMES[model], list(islice(values, len(NAMES[model]))))
            for model, _ in LOADED
        ]
        token: Any
        token, token.user, token.organization = loaded
        token.has_seat, token.noted_position = next(values), next(values, None)
        return token
    return None


class TokenAuthentication(BaseAuthentication):
    """`X-Auth-Token` names the user and the organization; `X-Organization-Id` may only confirm the latter."""

    header_parameters: ClassVar[list[dict[str, Any]]] = [
        {
            "name": ORGANIZATION_HEADER,
            "in": "header",
            "description": "The organization's id. The token names it already; sent, it must be the same.",
            "schema": {"type": "string"},
        }
    ]

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """Raise AuthenticationFailed for a secret that opens nothing, the same for every reason why; or
        TooManyRequestsError for one too many of these, or of a token's own requests."""
        secret = request.headers.get(TOKEN_HEADER)
        if secret is None:
            return None
        now = timezone.now()
        token = find_token(secret)
        if token is None or not token.is_live(now):
            throttle_failed_authentication(request)
            raise AuthenticationFailed
        throttle_token(token)
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


class TokenScheme(OpenApiAuthenticationExtension):
    """The token, for the API's document."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        description = "The secret of an API token. It belongs to one organization."
        return {"type": "apiKey", "in": "header", "name": TOKEN_HEADER, "description": description}


class TokenPermission(BasePermission):
    """A token is needed for everything, and a read-write one for changes."""

    def has_permission(self, request: Request, view: Any) -> bool:
        token: Any = request.auth
        return token is not None and (request.method in SAFE_METHODS or not token.read_only)

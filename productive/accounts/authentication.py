"""Authenticate API requests by the token in the header `X-Auth-Token`."""

from __future__ import annotations

from itertools import islice
from typing import Any

from django.db import DEFAULT_DB_ALIAS, models
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.permissions import SAFE_METHODS, BasePermission
from rest_framework.request import Request

from productive.accounts.models import ApiToken, Organization, User
from productive.accounts.throttles import throttle_failed_authentication, throttle_token
from productive.accounts.tokens import digest
from productive.database import reads
from productive.database.query_cache import CompiledQuery

TOKEN_HEADER = "X-Auth-Token"  # noqa: S105
ORGANIZATION_HEADER = "X-Organization-Id"

# The models that the token query joins, and their lookup prefixes. A query whose SQL is cached returns
# tuples, so `find_token` creates the instances.
LOADED_MODELS: tuple[tuple[type[models.Model], str], ...] = (
    (ApiToken, ""),
    (User, "user__"),
    (Organization, "organization__"),
)
COLUMNS = {model: [field.attname for field in model._meta.concrete_fields] for model, _ in LOADED_MODELS}


def token_query(digest: str) -> models.QuerySet[ApiToken, Any]:
    """Select the columns of LOADED_MODELS for a token, and annotations."""
    tokens = (
        ApiToken.objects.filter(digest=digest).with_membership().annotate(**reads.hooks.token_annotations)
    )
    columns = (f"{prefix}{name}" for model, prefix in LOADED_MODELS for name in COLUMNS[model])
    return tokens.values_list(*columns, *annotation_names())


def annotation_names() -> list[str]:
    return ["is_member", *reads.hooks.token_annotations]


TOKENS = CompiledQuery(ApiToken, token_query, "digest")


def find_token(secret: str) -> Any:
    """Return the token with this secret, or None.

    Its user and organization are loaded. The lookup is by digest, so its timing reveals nothing about valid
    secrets.
    """
    for row in TOKENS.rows(digest(secret)):
        values = iter(row)
        instances = [
            model.from_db(DEFAULT_DB_ALIAS, COLUMNS[model], list(islice(values, len(COLUMNS[model]))))
            for model, _ in LOADED_MODELS
        ]
        token: Any
        token, token.user, token.organization = instances
        for name, value in zip(annotation_names(), values, strict=True):
            setattr(token, name, value)
        return token
    return None


class TokenAuthentication(BaseAuthentication):
    """Authenticate the user and the organization by `X-Auth-Token`.

    `X-Organization-Id` is optional, and must be the organization of the token.
    """

    def authenticate(self, request: Request) -> tuple[User, ApiToken] | None:
        """Return the user and the token, or None without the header.

        Raise AuthenticationFailed if the token is not live, without saying why; TooManyRequestsError above
        the rate limit of the token, or of failed authentications.
        """
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
        if not token.is_member:
            raise PermissionDenied
        token.touch(now)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        return TOKEN_HEADER


class TokenScheme(OpenApiAuthenticationExtension):
    """Describe the headers in the OpenAPI document."""

    target_class = TokenAuthentication
    name = [TOKEN_HEADER, ORGANIZATION_HEADER]

    def get_security_definition(self, auto_schema: Any) -> list[dict[str, str]]:
        descriptions = (
            "The secret of an API token. It belongs to one organization.",
            "The organization's id. Optional; it must be that of the token.",
        )
        return [
            {"type": "apiKey", "in": "header", "name": header, "description": description}
            for header, description in zip(self.name, descriptions, strict=True)
        ]

    def get_security_requirement(self, auto_schema: Any) -> list[dict[str, list[str]]]:
        return [{TOKEN_HEADER: []}, {TOKEN_HEADER: [], ORGANIZATION_HEADER: []}]


class TokenPermission(BasePermission):
    """Require a token for every request, and a read-write token for changes."""

    def has_permission(self, request: Request, view: Any) -> bool:
        token: Any = request.auth
        return token is not None and (request.method in SAFE_METHODS or not token.read_only)

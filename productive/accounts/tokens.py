"""API tokens."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import sha256
from hmac import new as hmac
from secrets import token_urlsafe
from typing import Any, Self

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.exceptions import ValidationError
from django.db import OperationalError, models
from django.db.models import Exists, OuterRef, Q
from django.utils import timezone

from productive.accounts.idempotency import IdempotencyKey
from productive.accounts.owned import OrganizationOwned, OrganizationOwnedQuerySet
from productive.database.fields import LineField
from productive.database.history import History
from productive.database.moments import Moment
from productive.database.signals import changed
from productive.database.timeouts import short_lock_timeout


class ApiTokenQuerySet(OrganizationOwnedQuerySet["ApiToken"]):
    def live(self, now: datetime) -> Self:
        """Return the tokens that are accepted at `now`, like `is_live()`."""
        not_expired = Q(expires_at=None) | Q(expires_at__gt=now)
        return self.filter(not_expired, revoked_at=None, user__is_active=True)

    def expiring(self, now: datetime) -> Self:
        """Return live tokens that expire within two weeks."""
        return self.live(now).filter(expires_at__lte=now + timedelta(days=14))

    def revoke(self) -> int:
        return ApiToken.moment.set_all(self)

    def with_membership(self) -> models.QuerySet[ApiToken, Any]:
        """Annotate whether the user is still a member of the organization."""
        members = get_user_model().objects.members_of(OuterRef("organization")).filter(pk=OuterRef("user"))
        return self.annotate(is_member=Exists(members))


class ApiToken(OrganizationOwned):
    """The credential of an integration, for one organization.

    Only a digest of the secret is stored.
    """

    name = LineField(max_length=255)
    user = models.ForeignKey(
        "accounts.User",
        models.CASCADE,
        related_name="tokens",
        help_text="The user that the integration acts as.",
    )
    # The start of the secret, to recognize a token in a list or a log. The rest can't be guessed from it.
    prefix = models.CharField(max_length=12, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    read_only = models.BooleanField(default=False)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True, editable=False)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    moment = Moment(field="revoked_at", done="revoked", unset="live", undone="reinstated", verbs=("revoke",))
    objects = ApiTokenQuerySet.as_manager()
    history = History(excluded_fields=["digest", "last_used_at"])

    class Meta(OrganizationOwned.Meta):
        verbose_name = "API token"

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    def clean(self) -> None:
        if self.user_id and self.organization_id and not self.user.can_act_for(self.organization):
            raise ValidationError({"user": "does not belong to this organization"})
        # In the first and last year, the conversion to another time zone can overflow.
        if self.expires_at is not None and not 1 < self.expires_at.year < 9999:
            raise ValidationError({"expires_at": "must be between the years 2 and 9998"})

    def make_secret(self) -> str:
        """Set a new secret and return it. It isn't stored, only its digest."""
        secret = f"prd_{token_urlsafe(32)}"
        self.prefix, self.digest = secret[:12], digest(secret)
        return secret

    def is_live(self, now: datetime) -> bool:
        """Return whether the token is accepted at `now`."""
        return (
            self.revoked_at is None
            and (self.expires_at is None or now < self.expires_at)
            and self.user.is_active
        )

    def revoke(self) -> None:
        self.moment.set(self)

    def touch(self, now: datetime) -> None:
        """Update `last_used_at`, at most once a minute."""
        due = now - timedelta(minutes=1)
        if self.last_used_at is not None and self.last_used_at >= due:
            return
        # Optional: if the database is busy, don't fail the request or, on SQLite, make it wait.
        with suppress(OperationalError), short_lock_timeout():
            ApiToken.objects.filter(pk=self.pk).exclude(last_used_at__gte=due).update(last_used_at=now)

    def claim(self, key: str, fingerprint: str) -> IdempotencyKey | None:
        """Claim an idempotency key for a request, or return the earlier claim."""
        earlier = IdempotencyKey.objects.claim(self.pk, key, fingerprint, timezone.now())
        if earlier is not None:
            # Its transaction is committed, but its receivers may not have run yet.
            changed.send(ApiToken, organizations=[self.organization_id])
        return earlier

    def save_response(self, key: str, location: str, body: bytes) -> None:
        """Store the response to the request that claimed the key."""
        IdempotencyKey.objects.filter(token=self, key=key).update(location=location, body=body)


def digest(secret: str) -> str:
    return hmac(settings.TOKEN_PEPPER.encode(), secret.encode(), sha256).hexdigest()

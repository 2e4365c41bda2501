"""Replace an API token: issue a new secret and revoke the old one."""

from __future__ import annotations

import re
from argparse import ArgumentTypeError
from datetime import timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from productive.accounts.management.commands.create_organization import format_errors
from productive.accounts.management.commands.issue_token import MAX_DAYS, describe_token, issue, local_time
from productive.accounts.models import ApiToken
from productive.database.history import change_set

GRACE_UNITS = {"m": "minutes", "h": "hours", "d": "days"}
MAX_GRACE = timedelta(days=30)


def parse_duration(text: str) -> timedelta:
    """Parse `90m`, `24h` or `7d`.

    Raise ArgumentTypeError for other formats and above MAX_GRACE.
    """
    match = re.fullmatch(r"([0-9]{1,5})([mhd])", text)
    length = timedelta(**{GRACE_UNITS[match[2]]: int(match[1])}) if match else None
    if length is None or length > MAX_GRACE:
        raise ArgumentTypeError(
            f"must be minutes, hours or days, such as 90m, 24h or 7d; {MAX_GRACE.days}d at most"
        )
    return length


def rotate(token: ApiToken, grace: timedelta = timedelta(0)) -> tuple[ApiToken, str]:
    """Replace the token, and return the new one with its secret.

    Revoke the old one, or let it expire after a grace period. The new one has its rights and lifetime, but at
    most MAX_DAYS. The secret is not stored. Raise ValidationError and change nothing if the user is no longer
    a member of the organization.
    """
    now, expires_at = timezone.now(), None
    if token.expires_at is not None:
        expires_at = now + min(token.expires_at - token.created_at, timedelta(days=MAX_DAYS))
    new, secret = issue(
        token.organization,
        token.name,
        user=token.user,
        read_only=token.read_only,
        expires_at=expires_at,
    )
    if not grace:
        token.revoke()
    elif token.expires_at is None or token.expires_at > now + grace:
        token.expires_at = now + grace
        token.save(update_fields=["expires_at"])
    return new, secret


class Command(BaseCommand):
    help = "Replace an API token by a new one with the same rights, print its secret, and revoke the old one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "token",
            metavar="PREFIX",
            help="the first 12 characters of the token's secret, as shown in the admin, or its name",
        )
        parser.add_argument(
            "--organization",
            type=int,
            metavar="ID",
            help="its organization, if several have a token with this name",
        )
        parser.add_argument(
            "--grace",
            type=parse_duration,
            default=timedelta(0),
            metavar="24h",
            help="how long the old secret is still valid; by default it is revoked at once",
        )

    def handle(self, *, token: str, organization: int | None, grace: timedelta, **options: Any) -> None:
        with change_set(), transaction.atomic():
            old = self.find(token, organization)
            self.check_not_rotated(old)
            try:
                new, secret = rotate(old, grace)
            except ValidationError as error:
                raise CommandError(format_errors(error)) from None
        self.stdout.write(secret)
        self.stderr.write(f"{describe_token(new)}\n{self.describe_end(old)}", str)

    def find(self, prefix_or_name: str, organization: int | None) -> ApiToken:
        """Lock and return the token.

        Errors don't repeat the argument, because it may be a secret.
        """
        tokens = ApiToken.objects.filter(Q(prefix=prefix_or_name) | Q(name=prefix_or_name)).live(
            timezone.now()
        )
        if organization is not None:
            tokens = tokens.filter(organization=organization)
        found = list(tokens.select_for_update(of=("self",)).select_related("organization", "user")[:2])
        if not found:
            raise CommandError("No live token has this prefix or name. Use issue_token to create one.")
        if len(found) > 1:
            raise CommandError("Several live tokens have this name. Use the prefix instead.")
        return found[0]

    def check_not_rotated(self, old: ApiToken) -> None:
        """Raise CommandError if the token is in its grace period.

        Its lifetime has been shortened, so a second successor would get the wrong one.
        """
        now = timezone.now()
        if old.expires_at is None or old.expires_at > now + MAX_GRACE:
            return
        newer = ApiToken.objects.live(now).filter(
            organization=old.organization_id, user=old.user_id, name=old.name, pk__gt=old.pk
        )
        if successor := newer.last():
            raise CommandError(
                f"This token has been replaced by {successor.prefix}…. Rotate that one, or revoke it first."
            )

    def describe_end(self, old: ApiToken) -> str:
        if old.revoked_at is not None:
            return f"The old token, {old.prefix}…, is revoked."
        return f"The old token, {old.prefix}…, expires at {local_time(old, old.expires_at)}."  # type: ignore[arg-type]

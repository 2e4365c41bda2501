"""Give an integration another key for the same door, and take away the old one."""

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

from productive.accounts.management.commands.create_organization import in_plain_words
from productive.accounts.management.commands.issue_token import LONGEST_DAYS, issue, local, told_of
from productive.accounts.models import ApiToken
from productive.database.history import change_set

UNITS = {"m": "minutes", "h": "hours", "d": "days"}
LONGEST_GRACE = timedelta(days=30)


def duration(text: str) -> timedelta:
    """What `90m`, `24h` or `7d` says. Raise ArgumentTypeError for anything else, and for too long."""
    match = re.fullmatch(r"([0-9]{1,5})([mhd])", text)
    length = timedelta(**{UNITS[match[2]]: int(match[1])}) if match else None
    if length is None or length > LONGEST_GRACE:
        raise ArgumentTypeError(
            f"must be minutes, hours or days, such as 90m, 24h or 7d; {LONGEST_GRACE.days}d at most"
        )
    return length


def rotate(token: ApiToken, grace: timedelta = timedelta(0)) -> tuple[ApiToken, str]:
    """Make a token with the rights of this one, and return it with its secret, which can't be had again.

    This one is revoked, or after a grace expires. The new one lasts from now as long as this one was given,
    though never longer than what can be issued. Raises ValidationError and changes nothing where the new one
    may not exist: its user has lost their seat.
    """
    now, expires_at = timezone.now(), None
    if token.expires_at is not None:
        expires_at = now + min(token.expires_at - token.created_at, timedelta(days=LONGEST_DAYS))
    fresh, secret = issue(
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
    return fresh, secret


class Command(BaseCommand):
    help = "Make a token with the rights of another one, print its secret, once, and revoke that other one."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "token",
            metavar="PREFIX",
            help="the first 12 characters of the token's secret, as the admin shows them; or its name",
        )
        parser.add_argument("--organization", type=int, metavar="ID", help="whose token it is, if names meet")
        parser.add_argument(
            "--grace",
            type=duration,
            default=timedelta(0),
            metavar="24h",
            help="how much longer the old secret opens what it did; it is revoked at once unless given",
        )

    def handle(self, *, token: str, organization: int | None, grace: timedelta, **options: Any) -> None:
        with change_set(), transaction.atomic():
            old = self.find(token, organization)
            self.demand_no_successor(old)
            try:
                fresh, secret = rotate(old, grace)
            except ValidationError as error:
                raise CommandError(in_plain_words(error)) from None
        self.stdout.write(secret)
        self.stderr.write(f"{told_of(fresh)}\n{self.end_of(old)}", str)

    def find(self, named: str, organization: int | None) -> ApiToken:
        """The one token that is meant, locked. What was typed is never shown: it may be a secret."""
        tokens = ApiToken.objects.filter(Q(prefix=named) | Q(name=named)).live(timezone.now())
        if organization is not None:
            tokens = tokens.filter(organization=organization)
        found = list(tokens.select_for_update(of=("self",)).select_related("organization", "user")[:2])
        if not found:
            raise CommandError("No token that is live has this prefix or name. issue_token makes a new one.")
        if len(found) > 1:
            raise CommandError("Several tokens that are live have this name: say which by its prefix.")
        return found[0]

    def demand_no_successor(self, old: ApiToken) -> None:
        """A token in its grace no longer says how long a second successor should last."""
        now = timezone.now()
        if old.expires_at is None or old.expires_at > now + LONGEST_GRACE:
            return
        newer = ApiToken.objects.live(now).filter(
            organization=old.organization_id, user=old.user_id, name=old.name, pk__gt=old.pk
        )
        if successor := newer.last():
            raise CommandError(
                f"It has been rotated: {successor.prefix}… is its successor."
                " Rotate that one, or revoke it first."
            )

    def end_of(self, old: ApiToken) -> str:
        if old.revoked_at is not None:
            return f"The old one, {old.prefix}…, is revoked."
        return f"The old one, {old.prefix}…, expires at {local(old, old.expires_at)}."  # type: ignore[arg-type]

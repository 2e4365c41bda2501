"""Give an integration its key."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from productive.accounts.management.commands.create_organization import in_plain_words
from productive.accounts.models import ApiToken, Organization, User

LONGEST_DAYS = 3650


def issue(
    organization: Organization,
    name: str,
    *,
    user: User | None = None,
    read_only: bool = False,
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """Make a token and return it with its secret, which can't be had again.

    Without a `user` it acts as a service user made for it. Raises ValidationError and leaves nothing behind
    where the token may not exist: a blank name, a user of another organization.
    """
    with transaction.atomic():
        token = ApiToken(
            organization=organization,
            name=name,
            user=user or make_service_user(organization, name),
            read_only=read_only,
            expires_at=expires_at,
        )
        secret = token.make_secret()
        token.full_clean()
        token.save()
    return token, secret


def make_service_user(organization: Organization, name: str) -> User:
    """A user whom nobody can sign in as: no password, no way into the admin."""
    wanted = f"api-{organization.pk}-{slugify(name)[:100] or 'token'}"
    names = (wanted if number == 1 else f"{wanted}-{number}" for number in count(1))
    free = next(name for name in names if not User.objects.filter(username=name).exists())
    user = User(username=free, serves=organization)
    user.set_unusable_password()
    user.full_clean()
    user.save()
    return user


def told_of(token: ApiToken) -> str:
    """What the token opens and until when, and how to use its secret."""
    expiry = "never expires"
    if token.expires_at is not None:
        expiry = f"expires at {local(token, token.expires_at)}"
    rights = "reads only" if token.read_only else "reads and writes"
    return (
        f"API token '{token.name}' of {token.organization}: acts as user '{token.user}', {rights}, "
        f"{expiry}.\n"
        "The secret is shown this once and kept nowhere. With it in the variable TOKEN:\n"
        '  curl --header "X-Auth-Token: $TOKEN" <address>/api/v2/service_types'
    )


def local(token: ApiToken, moment: datetime) -> str:
    """The moment by the clock of the token's organization."""
    return f"{moment.astimezone(token.organization.zone):%Y-%m-%d %H:%M %Z}"


class Command(BaseCommand):
    help = "Make an API token of an organization and print its secret, once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", type=int, required=True, metavar="ID")
        parser.add_argument("--name", default="API token", help="what it is for, as shown in the admin")
        parser.add_argument(
            "--user",
            metavar="USERNAME",
            help="in whose name it acts; otherwise a service user is made for it",
        )
        parser.add_argument("--read-only", action="store_true", help="it may look and not change")
        parser.add_argument(
            "--expires-in-days", type=int, metavar="N", help=f"1 to {LONGEST_DAYS}; never unless given"
        )

    def handle(
        self,
        *,
        organization: int,
        name: str,
        user: str | None,
        read_only: bool,
        expires_in_days: int | None,
        **options: Any,
    ) -> None:
        owner = Organization.objects.filter(pk=organization).first()
        if owner is None:
            raise CommandError(f"There is no organization {organization}.")
        expires_at = None
        if expires_in_days is not None:
            if not 1 <= expires_in_days <= LONGEST_DAYS:
                raise CommandError(f"--expires-in-days must be from 1 to {LONGEST_DAYS}.")
            expires_at = timezone.now() + timedelta(days=expires_in_days)
        try:
            token, secret = issue(
                owner,
                name.strip(),
                user=None if user is None else self.find_user(user),
                read_only=read_only,
                expires_at=expires_at,
            )
        except ValidationError as error:
            raise CommandError(in_plain_words(error)) from None
        self.stdout.write(secret)
        # On stderr, so that stdout is the secret alone and can go straight into a variable; no failure, so
        # not in the colour of one.
        self.stderr.write(told_of(token), str)

    def find_user(self, username: str) -> User:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is no user '{username}'.")
        if not user.is_active:
            raise CommandError(f"User '{username}' is not active: no token of theirs would open anything.")
        return user

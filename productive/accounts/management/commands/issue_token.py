"""Create an API token for an integration."""

from __future__ import annotations

from datetime import datetime, timedelta
from itertools import count
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone
from django.utils.text import slugify

from productive.accounts.management.commands.create_organization import format_errors
from productive.accounts.models import ApiToken, Organization, User

MAX_DAYS = 3650


def issue(
    organization: Organization,
    name: str,
    *,
    user: User | None = None,
    read_only: bool = False,
    expires_at: datetime | None = None,
) -> tuple[ApiToken, str]:
    """Create a token, and return it with its secret, which is not stored.

    Without a `user`, create a service user for the token. Raise ValidationError and save nothing if the
    token is not valid: a blank name, a user of another organization.
    """
    with transaction.atomic():
        token = ApiToken(
            organization=organization,
            name=name,
            user=user or create_service_user(organization, name),
            read_only=read_only,
            expires_at=expires_at,
        )
        secret = token.make_secret()
        token.full_clean()
        token.save()
    return token, secret


def create_service_user(organization: Organization, name: str) -> User:
    """Create a user without a password or access to the admin."""
    username = f"api-{organization.pk}-{slugify(name)[:100] or 'token'}"
    candidates = (username if number == 1 else f"{username}-{number}" for number in count(1))
    unused = next(name for name in candidates if not User.objects.filter(username=name).exists())
    user = User(username=unused, service_account_of=organization)
    user.set_unusable_password()
    user.full_clean()
    user.save()
    return user


def describe_token(token: ApiToken) -> str:
    """Return the token's rights, its expiry and how to use its secret."""
    expiry = "never expires"
    if token.expires_at is not None:
        expiry = f"expires at {local_time(token, token.expires_at)}"
    rights = "reads only" if token.read_only else "reads and writes"
    return (
        f"API token '{token.name}' of {token.organization}: acts as user '{token.user}', {rights}, "
        f"{expiry}.\n"
        "The secret is not stored and is not shown again. To use it from the variable TOKEN:\n"
        '  curl --header "X-Auth-Token: $TOKEN" <address>/api/v2/service_types'
    )


def local_time(token: ApiToken, moment: datetime) -> str:
    """Format a moment in the time zone of the token's organization."""
    return f"{moment.astimezone(token.organization.zone):%Y-%m-%d %H:%M %Z}"


class Command(BaseCommand):
    help = "Create an API token and print its secret, which is not shown again."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--organization", type=int, required=True, metavar="ID")
        parser.add_argument("--name", default="API token", help="what it is for, as shown in the admin")
        parser.add_argument(
            "--user",
            metavar="USERNAME",
            help="the user that the token acts as; by default, a new service user",
        )
        parser.add_argument(
            "--read-only", action="store_true", help="the token can read, but not change anything"
        )
        parser.add_argument(
            "--expires-in-days", type=int, metavar="N", help=f"1 to {MAX_DAYS}; by default it never expires"
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
            if not 1 <= expires_in_days <= MAX_DAYS:
                raise CommandError(f"--expires-in-days must be from 1 to {MAX_DAYS}.")
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
            raise CommandError(format_errors(error)) from None
        self.stdout.write(secret)
        # Use stderr, so that stdout is the secret alone, and `str` to leave out the style of errors.
        self.stderr.write(describe_token(token), str)

    def find_user(self, username: str) -> User:
        user = User.objects.filter(username=username).first()
        if user is None:
            raise CommandError(f"There is no user '{username}'.")
        if not user.is_active:
            raise CommandError(f"User '{username}' is not active, so the token would not be valid.")
        return user

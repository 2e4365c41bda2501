"""From an empty checkout to a running system with something in it."""

from __future__ import annotations

import errno
import os
import socket
import sys
from contextlib import closing
from secrets import token_urlsafe
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import connections

from productive.accounts.management.commands.issue_token import issue
from productive.accounts.models import ApiToken, Organization, User
from productive.management import agency

HOST = "127.0.0.1"
LOGIN, TOKEN = "admin", "Demo"


def become_server(port: int) -> None:
    """Replace this process by gunicorn, so that whoever stops the one stops the other. Never returns."""
    connections.close_all()
    # Nobody but this machine can reach it, so it does without TLS unless the environment says otherwise.
    os.environ.setdefault("HTTPS", "false")
    os.environ.setdefault("ALLOWED_HOSTS", "127.0.0.1,localhost")
    # manage.py lifts these limits for commands; for web requests the settings' own hold.
    for limit in ("STATEMENT_TIMEOUT_MS", "LOCK_TIMEOUT_MS"):
        if os.environ.get(limit) == "0":
            del os.environ[limit]
    os.environ.setdefault("WEB_CONCURRENCY", "2")
    for limit in ("TOKEN", "ORGANIZATION", "FAILED_AUTHENTICATION"):
        os.environ.setdefault(f"RATE_LIMIT_{limit}", "off")
    # Somebody sits before it.
    os.environ.setdefault("LOG_FORMAT", "text")
    arguments = ["--config", "python:productive.server", "--bind", f"{HOST}:{port}"]
    arguments += ["--chdir", str(settings.BASE_DIR), "productive.wsgi"]
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", *arguments])  # noqa: S606


class Command(BaseCommand):
    help = "Migrate, seed, make a login and an API token, and serve on this machine alone."
    serve = staticmethod(become_server)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument(
            "--no-seed", action="store_true", help="without the example agency; in an empty organization"
        )

    def handle(self, *, port: int, no_seed: bool, **options: Any) -> None:
        self.claim(port)
        call_command("migrate", verbosity=0, interactive=False)
        if not no_seed:
            call_command("seed", stdout=self.stdout, stderr=self.stderr)
        organization = self.find_organization(seeded=not no_seed)
        login, (secret, token) = self.make_login(), self.make_token(organization)
        self.stdout.write(
            f"\nAdmin  http://{HOST}:{port}/admin/\n"
            f"Login  {login}\n"
            f"API    http://{HOST}:{port}/api/v2/\n"
            f"Token  {token}\n\n"
            f"curl --header 'X-Auth-Token: {secret}' http://{HOST}:{port}/api/v2/service_types\n"
        )
        self.stdout.flush()
        self.serve(port)

    def claim(self, port: int) -> None:
        """Find out before anything else whether the port can be had. Raises CommandError if not."""
        if not 1 <= port <= 65535:
            raise CommandError("--port must be from 1 to 65535.")
        with closing(socket.socket()) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((HOST, port))
            except OSError as error:
                reason = "is taken" if error.errno == errno.EADDRINUSE else f"can't be had ({error.strerror})"
                raise CommandError(f"Port {port} {reason}. Choose another one with --port.") from None

    def find_organization(self, *, seeded: bool) -> Organization:
        if seeded:
            return Organization.objects.filter(name=agency.NAME)[0]
        organization = Organization.objects.first()
        if organization is None:
            organization = Organization(name="Demo", time_zone=agency.TIME_ZONE)
            organization.full_clean()
            organization.save()
        return organization

    def make_login(self) -> str:
        """The login, with its password if it is a new one."""
        if User.objects.filter(username=LOGIN).exists():
            return f"{LOGIN} exists already; for a new password: manage.py changepassword {LOGIN}"
        password = token_urlsafe(12)
        user = User(username=LOGIN, is_staff=True, is_superuser=True)
        user.set_password(password)
        user.full_clean()
        user.save()
        return f"{LOGIN}, password {password} (shown this once)"

    def make_token(self, organization: Organization) -> tuple[str, str]:
        """What stands for the secret in a request, and what there is to say about it."""
        if ApiToken.objects.owned_by(organization).filter(name=TOKEN, revoked_at=None).exists():
            command = f"manage.py issue_token --organization {organization.pk}"
            return "<secret>", f"exists already; for a new one: {command}"
        _, secret = issue(organization, TOKEN)
        return secret, f"{secret} (shown this once)"

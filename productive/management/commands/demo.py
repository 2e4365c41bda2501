"""Start the system with sample data and only the installed packages."""

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
# The environment overrides these. Only this machine can reach the server, so it needs no TLS or rate limits.
ENVIRONMENT = {
    "HTTPS": "false",
    "ALLOWED_HOSTS": "127.0.0.1,localhost",
    "CORS_ORIGINS": "http://127.0.0.1:*,http://localhost:*",
    "WEB_CONCURRENCY": "2",
    "LOG_FORMAT": "text",
    "RATE_LIMIT_TOKEN": "off",
    "RATE_LIMIT_ORGANIZATION": "off",
    "RATE_LIMIT_FAILED_AUTHENTICATION": "off",
    "RATE_LIMIT_SIGN_IN": "off",
}


def exec_gunicorn(port: int) -> None:
    """Replace this process by gunicorn, so that both stop together."""
    connections.close_all()
    # manage.py lifts these limits for commands; the server needs those of the settings.
    for limit in ("STATEMENT_TIMEOUT_MS", "LOCK_TIMEOUT_MS"):
        if os.environ.get(limit) == "0":
            del os.environ[limit]
    os.environ |= ENVIRONMENT | dict(os.environ)
    arguments = ["--config", "python:productive.server", "--bind", f"{HOST}:{port}"]
    arguments += ["--chdir", str(settings.BASE_DIR), "productive.wsgi"]
    os.execv(sys.executable, [sys.executable, "-m", "gunicorn", *arguments])  # noqa: S606


class Command(BaseCommand):
    help = "Migrate, seed, create a login and an API token, and serve on this machine only."
    serve = staticmethod(exec_gunicorn)

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=8000)
        parser.add_argument("--no-seed", action="store_true", help="an empty organization, no sample agency")

    def handle(self, *, port: int, no_seed: bool, **options: Any) -> None:
        self.check_port(port)
        call_command("migrate", verbosity=0, interactive=False)
        if not no_seed:
            call_command("seed", stdout=self.stdout, stderr=self.stderr)
        organization = self.find_organization(seeded=not no_seed)
        login, (secret, token) = self.create_login(), self.create_token(organization)
        self.stdout.write(
            f"\nAdmin  http://{HOST}:{port}/admin/\n"
            f"Login  {login}\n"
            f"API    http://{HOST}:{port}/api/v2/\n"
            f"Token  {token}\n\n"
            f"curl --header 'X-Auth-Token: {secret}' http://{HOST}:{port}/api/v2/service_types\n"
        )
        self.stdout.flush()
        self.serve(port)

    def check_port(self, port: int) -> None:
        """Raise CommandError if the server couldn't listen on the port."""
        if not 1 <= port <= 65535:
            raise CommandError("--port must be from 1 to 65535.")
        with closing(socket.socket()) as listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                listener.bind((HOST, port))
            except OSError as error:
                reason = (
                    "is taken" if error.errno == errno.EADDRINUSE else f"can't be used ({error.strerror})"
                )
                raise CommandError(f"Port {port} {reason}. Choose another one with --port.") from None

    def find_organization(self, *, seeded: bool) -> Organization:
        if seeded:
            return Organization.objects.filter(name=agency.NAME)[0]
        organization = Organization.objects.first()
        if organization is None:
            organization = Organization.objects.create(name="Demo", time_zone=agency.AGENCY_TIME_ZONE)
        return organization

    def create_login(self) -> str:
        """Return the login, with its password if it is new."""
        if User.objects.filter(username=LOGIN).exists():
            return f"{LOGIN} already exists; for a new password: manage.py changepassword {LOGIN}"
        password = token_urlsafe(12)
        User.objects.create_superuser(LOGIN, password=password)
        return f"{LOGIN}, password {password} (shown this once)"

    def create_token(self, organization: Organization) -> tuple[str, str]:
        """Return the secret, or a placeholder, and a text about the token."""
        if ApiToken.objects.owned_by(organization).filter(name=TOKEN, revoked_at=None).exists():
            command = f"manage.py issue_token --organization {organization.pk}"
            return "<secret>", f"already exists; for a new one: {command}"
        _, secret = issue(organization, TOKEN)
        return secret, f"{secret} (shown this once)"

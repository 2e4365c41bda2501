#!/usr/bin/env python
"""Run an administrative command; `manage.py help` lists them."""

import os
import sys

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "productive.settings")
    # Web requests have these limits; commands, such as a migration, have none.
    os.environ.setdefault("STATEMENT_TIMEOUT_MS", "0")
    os.environ.setdefault("LOCK_TIMEOUT_MS", "0")
    try:
        execute_from_command_line(sys.argv)
    except ImproperlyConfigured as error:
        sys.exit(f"Cannot start: {error}")


if __name__ == "__main__":
    main()

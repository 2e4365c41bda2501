#!/usr/bin/env python
"""Administer the system from the command line: `manage.py help` lists the commands."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "productive.settings")
    # A migration or a large seed may take as long as it needs; a web request may not.
    os.environ.setdefault("STATEMENT_TIMEOUT_MS", "0")
    os.environ.setdefault("LOCK_TIMEOUT_MS", "0")
    from django.core.management import execute_from_command_line

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()

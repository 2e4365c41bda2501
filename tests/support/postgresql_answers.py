"""Exit 0 where the PostgreSQL server of DATABASE_URL answers, 1 with the reason where it doesn't."""

import os
import sys

import psycopg

try:
    psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=3).close()
except psycopg.Error as error:
    sys.exit(str(error))

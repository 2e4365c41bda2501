"""Exit with 0 if the PostgreSQL server of DATABASE_URL responds, else with 1 and the reason."""

import os
import sys

import psycopg

try:
    psycopg.connect(os.environ["DATABASE_URL"], connect_timeout=3).close()
except psycopg.Error as error:
    sys.exit(str(error))

"""Use the settings of production, but with plain HTTP and a fast password hasher."""

import os
import sys
import tempfile

os.environ["ENV_FILE"] = os.devnull
os.environ.setdefault("SECRET_KEY", "for-the-tests-alone-" * 3)
os.environ.setdefault("HTTPS", "false")
os.environ.setdefault("RATE_LIMIT_TOKEN", "off")
os.environ.setdefault("RATE_LIMIT_ORGANIZATION", "off")
os.environ.setdefault("RATE_LIMIT_FAILED_AUTHENTICATION", "off")
os.environ.setdefault("RATE_LIMIT_SIGN_IN", "off")
# A busy machine is slow, not broken. Tests of these limits set their own.
os.environ.setdefault("STATEMENT_TIMEOUT_MS", "120000")
os.environ.setdefault("LOCK_TIMEOUT_MS", "60000")
os.environ.setdefault("ALLOWED_HOSTS", "testserver,localhost,127.0.0.1")

from productive.settings import *  # noqa: F403

# Each test client has its own middleware. Without this, each of them scans all static files.
WHITENOISE_AUTOREFRESH = "pytest" in sys.modules
# Has a faster `flush` command.
INSTALLED_APPS = [*INSTALLED_APPS, "tests.support"]  # noqa: F405
PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]

if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":  # noqa: F405
    # A file, as in production, so that other threads and a server in another process can use it.
    DATABASES["default"]["TEST"] = {"NAME": f"{tempfile.mkdtemp()}/test.sqlite3"}  # noqa: F405

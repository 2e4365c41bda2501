"""Settings, read from environment variables.

A `.env` file beside manage.py can set them, too; the environment overrides it. docs/operating.md lists them,
with their defaults.
"""

import logging
import os
import re
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import environ
from django.conf import global_settings
from django.core.exceptions import ImproperlyConfigured
from django.templatetags.static import static

from productive.database.private_files import PrivateConnection
from productive.limits.rates import parse_rate
from productive.web import logs

BASE_DIR = Path(__file__).resolve().parent.parent
DATA_DIR = BASE_DIR / "var"
with suppress(OSError):  # The disk is read-only, or the directory belongs to another user.
    DATA_DIR.mkdir(mode=0o700, exist_ok=True)
    # An existing directory may be open to a group on purpose, but never to everyone.
    DATA_DIR.chmod(DATA_DIR.stat().st_mode & ~0o007)

env = environ.Env()
env.read_env(os.environ.get("ENV_FILE", str(BASE_DIR / ".env")))

DEBUG = env.bool("DEBUG", default=False)

# Accepted only with DEBUG, so that it can't be used in production by accident.
DEVELOPMENT_KEY = "development-only-" + "not-a-secret-" * 4
SECRET_KEY = env.str("SECRET_KEY", default=DEVELOPMENT_KEY if DEBUG else "")
if not DEBUG and (len(SECRET_KEY) < 50 or SECRET_KEY == DEVELOPMENT_KEY):
    raise ImproperlyConfigured(
        "SECRET_KEY is missing or shorter than 50 characters. Set it in the environment or in .env, "
        'for example to the output of: python -c "import secrets; print(secrets.token_urlsafe(50))". '
        "To try the system on this machine, run `make demo`: it writes a .env with a key of its own. "
        "For development, set DEBUG=true."
    )
# Part of the digest of every API token. A separate setting, so that SECRET_KEY can change and tokens stay
# valid.
TOKEN_PEPPER = env.str("TOKEN_PEPPER", default="") or SECRET_KEY
if not DEBUG and len(TOKEN_PEPPER) < 50:
    raise ImproperlyConfigured("TOKEN_PEPPER is shorter than 50 characters")

ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"] if DEBUG else [])

INSTALLED_APPS = [
    "productive",
    "productive.accounts",
    "catalog",
    "assignments",
    "rest_framework",
    "rest_framework_json_api",
    "django_filters",
    "corsheaders",
    "drf_spectacular",
    "drf_spectacular_sidecar",
    "axes",
    "simple_history",
    # Before the apps whose templates it overrides.
    "unfold.apps.BasicAppConfig",
    "unfold.contrib.filters",
    "unfold.contrib.forms",
    "productive.admin.apps.AdminConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "productive.web.request_state.RequestStateMiddleware",
    "productive.web.request_log.RequestLogMiddleware",
    # Before every middleware that can return a response itself, so that this response has these headers.
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "productive.web.content_security.ContentSecurityPolicyMiddleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "productive.web.health.HealthCheckMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "productive.accounts.local_time.LocalTimeMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "productive.urls"
WSGI_APPLICATION = "productive.wsgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
            ],
            "libraries": {"css": "productive.admin.css"},
        },
    },
]

# --- Database -------------------------------------------------------------------------------------

DATABASES = {"default": env.db_url("DATABASE_URL", default=f"sqlite:///{DATA_DIR}/productive.sqlite3")}
# A streaming replica of DATABASE_URL, which the API can read from.
if env.str("REPLICA_URL", default=""):
    DATABASES["replica"] = {**env.db_url("REPLICA_URL"), "TEST": {"MIRROR": "default"}}
    DATABASE_ROUTERS = ["productive.database.replicas.ReplicaRouter"]
    if {_database["ENGINE"] for _database in DATABASES.values()} != {"django.db.backends.postgresql"}:
        raise ImproperlyConfigured(
            "REPLICA_URL needs PostgreSQL: it and DATABASE_URL must both begin with postgres://"
        )
# Behind PgBouncer, each transaction can run on another server connection, so no state can outlast it. It
# accepts no start-up options, so the timeouts must be set for the database role.
PGBOUNCER = env.bool("PGBOUNCER", default=False)
# One for each thread of a process.
_pool_size = env.int("DATABASE_POOL_SIZE", default=16)
for _alias, _database in DATABASES.items():
    _options = _database.setdefault("OPTIONS", {})
    if _database["ENGINE"] == "django.db.backends.sqlite3":
        # Opening the file takes longer than most queries, so each thread keeps it open for a while.
        _database["CONN_MAX_AGE"] = 60
        _options.setdefault("factory", PrivateConnection)
        # WAL: readers never wait. IMMEDIATE: a writer locks at BEGIN, where it can wait; a transaction that
        # begins by reading could fail at its first write. FULL: a committed write survives a power failure.
        _options.setdefault("transaction_mode", "IMMEDIATE")
        _options.setdefault("timeout", env.int("SQLITE_TIMEOUT", default=20))
        _options.setdefault("init_command", "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;")
    elif _database["ENGINE"] == "django.db.backends.postgresql":
        from productive.database.connections import Cursor, PooledConnection

        _database["CONN_HEALTH_CHECKS"] = True
        _database["DISABLE_SERVER_SIDE_CURSORS"] = PGBOUNCER
        _options.setdefault("connect_timeout", 3)
        # If the replica fails, the primary is read, so wait for it only briefly. Stop reconnecting as soon: a
        # pool doubles its pauses, and would notice late that the server is back.
        _seconds = 1 if _alias == "replica" else 4
        # How long to wait for a server that no longer responds.
        _options.setdefault("tcp_user_timeout", 3_000 if _alias == "replica" else 4_000)
        # Send parameters separately, so that the server can reuse the plan of a statement.
        _options.setdefault("server_side_binding", True)
        _options.setdefault("cursor_factory", Cursor)
        if _pool_size:
            _waits = {"timeout": _seconds, "reconnect_timeout": _seconds}
            _pool = {"min_size": 0, "max_size": _pool_size, "connection_class": PooledConnection, **_waits}
            _options.setdefault("pool", _pool)
        if not PGBOUNCER:
            _options.setdefault("prepare_threshold", 5)
            # PostgreSQL overestimates subqueries that stop at the first row, so it compiles quick queries. It
            # counted the states of 4,300 services in 0.2 s, after it had compiled for 2.2 s.
            _options.setdefault(
                "options",
                f"-c statement_timeout={env.int('STATEMENT_TIMEOUT_MS', default=15_000)}"
                f" -c lock_timeout={env.int('LOCK_TIMEOUT_MS', default=3_000)}"
                " -c idle_in_transaction_session_timeout=30000 -c jit=off",
            )
    else:
        raise ImproperlyConfigured("DATABASE_URL must begin with sqlite:// or postgres://")

DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
# `database.history` declares its own indexes, which include the date.
SIMPLE_HISTORY_DATE_INDEX = False

# --- Users ----------------------------------------------------------------------------------------

AUTH_USER_MODEL = "accounts.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
PASSWORD_HASHERS = [
    "productive.accounts.hashers.NicePasswordHasher",
    # Django's other hashers, which only check passwords that they have hashed.
    *global_settings.PASSWORD_HASHERS[1:],
]
LOGIN_URL = "admin:login"
LOGIN_REDIRECT_URL = "admin:index"
AUTHENTICATION_BACKENDS = [
    "axes.backends.AxesStandaloneBackend",
    "django.contrib.auth.backends.ModelBackend",
]
# Five failed sign-ins lock a user name for an IP address. All processes count them, in the database.
AXES_FAILURE_LIMIT = 5
AXES_COOLOFF_TIME = timedelta(minutes=10)
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
# Attempts during a lockout don't extend it.
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_LOCKOUT_CALLABLE = "productive.accounts.sign_in.lockout_response"
AXES_CLIENT_IP_CALLABLE = "productive.web.client_address.client_address"
AXES_DISABLE_ACCESS_LOG = True
AXES_ENABLE_ADMIN = AXES_VERBOSE = False
# A message shows the secret of a new token, which must not be stored in a cookie.
MESSAGE_STORAGE = "django.contrib.messages.storage.session.SessionStorage"

# --- Language and time ----------------------------------------------------------------------------

LANGUAGE_CODE = "en"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
FORMAT_MODULE_PATH = "productive.formats"

# --- Static files ---------------------------------------------------------------------------------

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
with suppress(OSError):  # On a read-only disk, the files of the packages are served.
    STATIC_ROOT.mkdir(exist_ok=True)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedStaticFilesStorage"},
}
# Serve the files of the packages, so that the admin works before `collectstatic`.
WHITENOISE_USE_FINDERS = True

# Django's handlers, after one that limits the size of uploads.
FILE_UPLOAD_HANDLERS = [
    "productive.admin.spreadsheets.uploads.UploadLimit",
    "django.core.files.uploadhandler.MemoryFileUploadHandler",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]

# --- The admin's theme ----------------------------------------------------------------------------

UNFOLD = {
    "SITE_TITLE": "Productive",
    "SITE_HEADER": "Productive",
    "SITE_SUBHEADER": "Services and assignments",
    "SITE_SYMBOL": "hub",
    # There is no other site to view.
    "SITE_URL": None,
    "SHOW_VIEW_ON_SITE": False,
    "SITE_FAVICONS": [
        {"rel": "icon", "type": "image/svg+xml", "href": lambda request: static("productive/favicon.svg")}
    ],
    "STYLES": [lambda request: static("productive/admin.css")],
    "SCRIPTS": [
        lambda request: static("productive/admin.js"),
        lambda request: static("productive/forms.js"),
        lambda request: static("productive/keys.js"),
    ],
    "BORDER_RADIUS": "6px",
    "COLORS": {
        "primary": {
            "50": "oklch(97.5% .015 200)",
            "100": "oklch(94.5% .035 200)",
            "200": "oklch(89% .065 200)",
            "300": "oklch(82% .095 200)",
            "400": "oklch(75% .11 202)",
            "500": "oklch(66% .11 205)",
            # White text on this has a contrast of more than 4.5 to 1.
            "600": "oklch(50% .09 208)",
            "700": "oklch(44% .08 210)",
            "800": "oklch(38% .065 212)",
            "900": "oklch(33% .055 214)",
            "950": "oklch(25% .045 216)",
        },
    },
    "SIDEBAR": {"command_search": True, "show_search": False, "show_all_applications": False},
}

# --- Security -------------------------------------------------------------------------------------

# On unless DEBUG: the admin redirects plain HTTP, the API rejects it, and cookies are sent over TLS only.
HTTPS = env.bool("HTTPS", default=not DEBUG)
SECURE_SSL_REDIRECT = HTTPS
# The API rejects plain HTTP instead: with a redirect, the client would keep sending its token unencrypted.
# Its documentation needs no token, so it is redirected.
SECURE_REDIRECT_EXEMPT = [r"^api/(?!v2/(?:docs|openapi\.json)$)", r"^healthz$", r"^readyz$"]
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SECURE_REFERRER_POLICY = "same-origin"
TRUST_PROXY = env.bool("TRUST_PROXY", default=False)
if TRUST_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_NAME = "__Host-sessionid" if HTTPS else "sessionid"
CSRF_COOKIE_NAME = "__Host-csrftoken" if HTTPS else "csrftoken"
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])
SESSION_COOKIE_AGE = 12 * 60 * 60
X_FRAME_OPTIONS = "DENY"

# --- Other origins --------------------------------------------------------------------------------

# The origins whose pages can use the API in a browser. `http://localhost:*` stands for every port.
CORS_ORIGINS = env.list("CORS_ORIGINS", default=[])
for _origin in CORS_ORIGINS:
    if not re.fullmatch(r"https?://[^\s/?#@*:]+(:(\d+|\*))?", _origin):
        raise ImproperlyConfigured(
            "CORS_ORIGINS must be origins such as https://app.example.com, separated by commas"
        )
CORS_ALLOWED_ORIGINS = [_origin for _origin in CORS_ORIGINS if not _origin.endswith(":*")]
CORS_ALLOWED_ORIGIN_REGEXES = [
    rf"{re.escape(_origin.removesuffix(':*'))}(:\d+)?\Z" for _origin in CORS_ORIGINS if _origin.endswith(":*")
]
# The admin has cookies, the API doesn't: a page of another origin must bring its own token.
CORS_URLS_REGEX = r"^/api/"
CORS_ALLOW_CREDENTIALS = False
CORS_ALLOW_METHODS = ["GET", "POST", "PATCH", "PUT", "DELETE"]
CORS_ALLOW_HEADERS = [
    "X-Auth-Token",
    "X-Organization-Id",
    "Content-Type",
    "Idempotency-Key",
    "If-Match",
    "If-None-Match",
    "Prefer",
]
CORS_EXPOSE_HEADERS = [
    "ETag",
    "Location",
    "Retry-After",
    "X-RateLimit-Reset",
    "X-Request-Id",
    "Idempotency-Replayed",
    "Warning-Access-Lost",
    "Warning-Opened-Service",
    "Warning-No-Effect",
]
if CORS_ORIGINS:
    # It responds to preflights itself, and its responses need the headers of the middleware before it.
    MIDDLEWARE.insert(
        MIDDLEWARE.index("whitenoise.middleware.WhiteNoiseMiddleware"),
        "corsheaders.middleware.CorsMiddleware",
    )

# --- The API --------------------------------------------------------------------------------------

API_MAX_BODY_BYTES = 1_000_000
# The included records of a response, and the links to them in to-many relationships.
MAX_INCLUDED = env.int("MAX_INCLUDED", default=50_000)

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": ["productive.accounts.authentication.TokenAuthentication"],
    "DEFAULT_PERMISSION_CLASSES": ["productive.accounts.authentication.TokenPermission"],
    "DEFAULT_PARSER_CLASSES": ["productive.jsonapi.parsers.JSONParser"],
    "DEFAULT_RENDERER_CLASSES": ["productive.jsonapi.renderers.JSONRenderer"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "productive.jsonapi.negotiation.ContentNegotiation",
    "DEFAULT_FILTER_BACKENDS": [
        "productive.jsonapi.filter_backends.FilterBackend",
        "productive.jsonapi.filter_backends.OrderingFilter",
    ],
    "DEFAULT_METADATA_CLASS": None,
    "EXCEPTION_HANDLER": "productive.jsonapi.errors.exception_handler",
    "UNAUTHENTICATED_USER": None,
    "NON_FIELD_ERRORS_KEY": "base",
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Productive: services and assignments",
    # `complete_document` adds the guide.
    "DESCRIPTION": "The services of a company, and the people who are assigned to them, as a JSON:API. Every"
    " request needs the secret of an API token in the header `X-Auth-Token`.",
    "VERSION": "2.0.0",
    "OAS_VERSION": "3.1.0",
    "POSTPROCESSING_HOOKS": ["productive.jsonapi.schema.hooks.complete_document"],
    "SORT_OPERATION_PARAMETERS": False,
    "SERVE_AUTHENTICATION": [],
    # From drf_spectacular_sidecar, so that nothing is loaded from other hosts.
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": {
        "deepLinking": True,
        "docExpansion": "list",
        "defaultModelsExpandDepth": 0,
        "validatorUrl": None,
    },
}
JSON_API_FORMAT_TYPES = "underscore"
JSON_API_PLURALIZE_TYPES = True

# --- Rate limits ----------------------------------------------------------------------------------

# Requests of one token, of all tokens of an organization, and with invalid tokens from one address; failed
# sign-ins from one address.
RATE_LIMIT_TOKEN = parse_rate(
    "RATE_LIMIT_TOKEN", env.str("RATE_LIMIT_TOKEN", default="off" if DEBUG else "100/10s")
)
RATE_LIMIT_ORGANIZATION = parse_rate(
    "RATE_LIMIT_ORGANIZATION",
    env.str("RATE_LIMIT_ORGANIZATION", default="off" if DEBUG else "4000/30min"),
)
RATE_LIMIT_FAILED_AUTHENTICATION = parse_rate(
    "RATE_LIMIT_FAILED_AUTHENTICATION",
    env.str("RATE_LIMIT_FAILED_AUTHENTICATION", default="off" if DEBUG else "30/3min"),
)

RATE_LIMIT_SIGN_IN = parse_rate(
    "RATE_LIMIT_SIGN_IN", env.str("RATE_LIMIT_SIGN_IN", default="off" if DEBUG else "30/10min")
)

# --- Logging --------------------------------------------------------------------------------------

LOG_LEVEL = env.str("LOG_LEVEL", default="INFO").upper()
if LOG_LEVEL not in logging.getLevelNamesMapping():
    raise ImproperlyConfigured("LOG_LEVEL must be DEBUG, INFO, WARNING, ERROR or CRITICAL")
LOG_FORMAT = env.str("LOG_FORMAT", default="text" if DEBUG else "json")
if LOG_FORMAT not in ("json", "text"):
    raise ImproperlyConfigured("LOG_FORMAT must be json or text")
LOGGING = logs.logging_config(LOG_FORMAT, LOG_LEVEL)

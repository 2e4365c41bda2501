"""Configure gunicorn.

Run it as `gunicorn --config python:productive.server productive.wsgi`. WEB_CONCURRENCY is the number of
processes. Each has threads, so that a slow client doesn't occupy a process.
"""

import os

from productive.web.logs import logging_config

worker_class = "productive.worker.Worker"
# Sign-ins wait in up to ten of them (`accounts.sign_in`).
threads = 16
# Enough for a filter with some thousand ids. gunicorn itself rejects a longer request line (414).
limit_request_line = 8190
graceful_timeout = 30
# TRUST_PROXY decides whether to trust X-Forwarded-Proto, not the address of the proxy.
forwarded_allow_ips = ""
# gunicorn would create the socket in the user's home directory, and nothing here uses it.
control_socket_disable = True
logger_class = "productive.worker.ServerLogger"
# Not from the settings, which gunicorn would not reload on SIGHUP if this module imported them. There is no
# access log, because the application logs each request.
logconfig_dict = logging_config(os.environ.get("LOG_FORMAT", "json"), "INFO")

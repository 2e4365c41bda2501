"""How gunicorn serves: `gunicorn --config python:productive.server productive.wsgi`.

Threads, not processes alone, so that a slow client holds a thread and not a process. The number of processes
is WEB_CONCURRENCY.
"""

import os

from productive.web.logs import logging_config

worker_class = "gthread"
threads = 8
# Enough for a filter with some thousand ids. gunicorn answers a longer line itself, in plain text.
limit_request_line = 8190
graceful_timeout = 30
# Whether a proxy's word on HTTPS is believed is for TRUST_PROXY to say, not for where it connects from.
forwarded_allow_ips = ""
# It would lie in the home directory of whoever starts it, and nothing here uses it.
control_socket_disable = True
# Not from the settings: what is loaded here, a reload of the processes (SIGHUP) would keep. And without an
# access log, as the application writes a line for each request.
logconfig_dict = logging_config(os.environ.get("LOG_FORMAT", "json"), "INFO")

"""``GET /metrics``: Prometheus's text, for whoever asks."""

from __future__ import annotations

from airflow_provider_processmaker.testing.http import Response

_TYPE = "text/plain; version=0.0.4; charset=UTF-8"
# The real server's own counters appear once there is something to count; this one is always there.
_TEXT = """\
# HELP php_info Information about the PHP environment.
# TYPE php_info gauge
php_info{version="8.2.36"} 1
"""


def show() -> Response:
    """The only counter of a server that nobody has worked with."""
    return Response.html(_TEXT, content_type=_TYPE)

"""The error answers of the API. Those that Laravel renders itself are pretty-printed, the hand-made ones are not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_processmaker.testing.http import Abort, Response
from airflow_provider_processmaker.testing.pages import error_page, gateway_page, redirect_page

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.http import Request

REASONS = {
    403: "Forbidden",
    405: "Method Not Allowed",
    429: "Too Many Requests",
    500: "Server Error",
    503: "Service Unavailable",
}


def rendered(request: Request, status: int, message: str) -> Response:
    """
    An exception that Laravel renders: JSON for who asks for it first, a page for all others.

    :param request: decides the form.
    :param status: the HTTP status.
    :param message: the text in the JSON.
    """
    if request.expects_json:
        return Response.json({"message": message}, status, pretty=True)
    return Response.html(error_page(status, REASONS.get(status, "Error")), status)


def unauthenticated(request: Request) -> Response:
    """
    401, or the way to the login page for those who did not ask for JSON.

    :param request: decides the form.
    """
    if request.expects_json:
        return Response.json({"error": "Unauthenticated."}, 401)
    login = f"{request.base_url}/login"
    response = Response.html(redirect_page(login), 302, "text/html; charset=utf-8")
    response.headers["Location"] = login
    return response


def not_found() -> Response:
    """404: always the same body, whatever was not there."""
    return Response.json({"error": "Not Found"}, 404)


def forbidden(message: str = "This action is unauthorized.") -> Abort:
    """
    403, to be raised.

    :param message: the policy's own text.
    """
    return Abort(Response.json({"message": message}, 403, pretty=True))


def line_too_long() -> Response:
    """414 of the web server in front: nothing of Laravel's headers is on it."""
    response = Response.html(gateway_page("414 Request-URI Too Large"), 414, "text/html")
    response.cache_control = ""
    response.tenant = False
    return response


def method_not_allowed(request: Request, path: str, allowed: list[str]) -> Response:
    """
    405.

    :param request: what was asked.
    :param path: the route's path without its leading slash.
    :param allowed: methods that the path has.
    """
    methods = ", ".join(allowed)
    text = f"The {request.method} method is not supported for route {path}. Supported methods: {methods}."
    response = rendered(request, 405, text)
    response.headers["Allow"] = methods
    return response

"""From a request to an answer, in the order of Laravel's middleware."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from airflow_provider_processmaker.testing import errors, media, oauth
from airflow_provider_processmaker.testing.http import Abort, Response
from airflow_provider_processmaker.testing.pages import login_page
from airflow_provider_processmaker.testing.routes import BINDERS, router
from airflow_provider_processmaker.testing.routing import API

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.routing import Route
    from airflow_provider_processmaker.testing.state import State
    from airflow_provider_processmaker.testing.throttle import Throttle

# What nginx, in front of the real server, reads of a request's first line.
_LONGEST_LINE = 8192


@dataclass
class Maintenance:
    """Whether the server is down for maintenance, and for how long it says."""

    on: bool = False
    retry_after: int | None = 30


@dataclass
class Dispatcher:
    """
    Answers requests.

    :param state: the server's data.
    :param endpoint: answers token calls.
    :param throttle: counts them.
    :param maintenance: refuses everything.
    """

    state: State
    endpoint: oauth.TokenEndpoint
    throttle: Throttle
    maintenance: Maintenance = field(default_factory=Maintenance)

    def __post_init__(self) -> None:
        self._router = router()

    def __call__(self, request: Request) -> Response:
        """
        Answer.

        :param request: the call.
        """
        if len(request.path) + len(request.query_string) > _LONGEST_LINE - len(f"{request.method}  ? HTTP/1.1"):
            return errors.line_too_long()
        with self.state.lock:
            request.state = self.state
            if self.maintenance.on:
                return self._down(request)
            path = request.path.rstrip("/")
            try:
                # What was to happen by now has happened, whoever looks; and what takes no time is done with the answer.
                self.state.engine.run_due()
                return media.too_large(request) or self._route(request, path)
            except Exception as error:  # noqa: BLE001 - an uncaught error is a 500; the log of calls keeps it
                request.error = error
                return errors.rendered(request, 500, "Server Error")
            finally:
                self.state.engine.run_due()

    def _route(self, request: Request, path: str) -> Response:
        if path == "/oauth/token" and request.method == "POST":
            return self._token(request)
        if path.startswith(f"{API}/") or self._router.knows(request.method, path):
            return self._api(request, path)
        return self._web(request, path)

    def _down(self, request: Request) -> Response:
        response = errors.rendered(request, 503, "Service Unavailable")
        # The first of all middleware: nothing that comes later adds its headers.
        response.tenant = False
        if self.maintenance.retry_after is not None:
            response.headers["Retry-After"] = str(self.maintenance.retry_after)
        return response

    def _token(self, request: Request) -> Response:
        refused = self.throttle.refuse(request)
        if refused is not None:
            return refused
        response = self.endpoint(request)
        self.throttle.label(request, response)
        return response

    def _web(self, request: Request, path: str) -> Response:
        allowed = ["GET", "HEAD", "POST"] if path == "/oauth/token" else ["GET", "HEAD"]
        if request.method == "OPTIONS":
            return _options(allowed)
        if request.method not in {"GET", "HEAD"}:
            return errors.method_not_allowed(request, path.lstrip("/"), allowed)
        if path == "/login":
            return Response.html(login_page())
        if path == "/oauth/clients":
            # Not meant for tokens: without a session there is nobody whose clients to list.
            return errors.rendered(request, 500, "Server Error")
        # The web's fallback wants a session, and a token is none.
        return errors.unauthenticated(request)

    def _api(self, request: Request, path: str) -> Response:
        route, parts, allowed = self._router.find(request.method, path)
        if route is None and request.method == "OPTIONS":
            return _options(allowed)
        if route is None and request.method not in {"GET", "HEAD"}:
            return errors.method_not_allowed(request, path.lstrip("/"), allowed)
        request.prefer_json()
        if "x-csrf-token" in request.headers and "cookie" in request.headers:
            # Taken for a browser, whose session this server does not know.
            return Response.json({"message": "Unauthorized"}, 401)
        token = oauth.authenticate(request)
        user = None if token is None else self.state.user(token.user_id)
        if user is None:
            return errors.unauthenticated(request)
        request.user = user
        return _with_etag(request, self._run(request, route, parts))

    def _run(self, request: Request, route: Route | None, parts: dict[str, str]) -> Response:
        if route is None or not self._bind(request, parts):
            return errors.not_found()
        request.exempt = route.exempt
        try:
            if route.can is not None and not self.state.can(request.user, route.can):
                raise errors.forbidden()
            return route.handler(request)
        except Abort as abort:
            return abort.response

    def _bind(self, request: Request, parts: dict[str, str]) -> bool:
        for name, text in parts.items():
            binder = BINDERS.get(name)
            found = text if binder is None else binder(self.state, int(text))
            if found is None:
                return False
            request.bound[name] = found
        return True


def _options(allowed: list[str]) -> Response:
    response = Response.html("")
    response.headers["Allow"] = ",".join(allowed)
    return response


def _with_etag(request: Request, response: Response) -> Response:
    if request.method not in {"GET", "HEAD"} or response.status not in {200, 204, 206}:
        return response
    if request.method == "HEAD":
        # The body is gone by the time the tag is made, so all HEAD answers to one user have one tag.
        response.body = b""
    content = str(request.user.id).encode() + response.body
    tag = hashlib.md5(content, usedforsecurity=False).hexdigest()
    known = {text.strip().removeprefix("W/").strip('"') for text in request.headers.get("if-none-match", "").split(",")}
    if tag in known:
        response = Response(304)
    response.headers["ETag"] = f'"{tag}"'
    return response

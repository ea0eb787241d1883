"""From a request to an answer, in the order of Laravel's middleware."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_provider_processmaker.testing import errors, media, metrics, oauth
from airflow_provider_processmaker.testing.http import Abort, Response
from airflow_provider_processmaker.testing.pages import login_page
from airflow_provider_processmaker.testing.routes import BINDERS, router
from airflow_provider_processmaker.testing.routing import API

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.routing import Route
    from airflow_provider_processmaker.testing.state import State
    from airflow_provider_processmaker.testing.throttle import Throttle

# Whose tag says when a process was last changed, see the real server's etag_tables.
_TAGGED_BY_PROCESSES = frozenset({f"{API}/start_processes"})
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
                return _foreign(request) or media.too_large(request) or self._route(request, path)
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
        if path == "/metrics":
            return metrics.show()
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
        tag = self._known_tag(request, path)
        response = Response() if tag is not None and _is_known(request, tag) else self._run(request, route, parts)
        return _with_etag(request, response, tag)

    def _known_tag(self, request: Request, path: str) -> str | None:
        """A tag that is not made of the answer, so that an answer that has changed may have the old one."""
        if path not in _TAGGED_BY_PROCESSES or request.method not in {"GET", "HEAD"}:
            return None
        changes = (row.columns["updated_at"] for row in self.state.workflow.processes)
        return _tag(request, max(changes, default="").encode())

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


def _foreign(request: Request) -> Response | None:
    """The answer to a proxy that names a host outside the server's own domain, which comes before all others."""
    host = request.headers.get("x-forwarded-host")
    own = re.escape(urlsplit(request.base_url).hostname or "")
    if host is None or re.fullmatch(rf"(.+\.)?{own}", host):
        return None
    return errors.rendered(request, 400, "Invalid Host Header")


def _tag(request: Request, content: bytes) -> str:
    return hashlib.md5(str(request.user.id).encode() + content, usedforsecurity=False).hexdigest()


def _is_known(request: Request, tag: str) -> bool:
    known = request.headers.get("if-none-match", "").split(",")
    return tag in {text.strip().removeprefix("W/").strip('"') for text in known}


def _with_etag(request: Request, response: Response, tag: str | None) -> Response:
    if tag is None and (request.method not in {"GET", "HEAD"} or response.status not in {200, 204, 206}):
        return response
    if request.method == "HEAD":
        # The body is gone by the time the tag is made, so all HEAD answers to one user have one tag.
        response.body = b""
    tag = tag or _tag(request, response.body)
    if _is_known(request, tag):
        response = Response(304)
    response.headers["ETag"] = f'"{tag}"'
    return response

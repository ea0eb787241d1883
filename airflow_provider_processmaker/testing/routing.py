"""Routes as Laravel matches them: by path first, so that a wrong method is 405 and an unknown path the fallback's."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_provider_processmaker.testing.http import Request, Response

_VERBS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")

API = "/api/1.0"


@dataclass(frozen=True)
class Route:
    """
    One operation of the API.

    :param method: its method; GET answers HEAD too.
    :param path: below ``/api/1.0``, with ``{name}`` for parts that vary. They are numbers unless the name ends in
        ``Id``.
    :param handler: answers it.
    :param can: a permission that Laravel checks before the handler runs (``can:`` in its table of routes).
    :param exempt: fields that the sanitizer leaves alone.
    :param version: of the API, that is, ``/api/1.1`` instead of ``/api/1.0``.
    """

    method: str
    path: str
    handler: Callable[[Request], Response]
    can: str | None = None
    exempt: frozenset[str] = field(default_factory=frozenset)
    version: str = "1.0"

    def methods(self) -> tuple[str, ...]:
        """The methods that it answers."""
        return ("GET", "HEAD") if self.method == "GET" else (self.method,)


def _compile(path: str) -> re.Pattern[str]:
    def part(match: re.Match[str]) -> str:
        name = match.group(1)
        return f"(?P<{name}>[^/]+)" if name.endswith("Id") else f"(?P<{name}>[0-9]+)"

    return re.compile(re.sub(r"\{(\w+)\}", part, path))


class Router:
    """
    The table of routes.

    :param routes: earlier ones win.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self._routes = [(_compile(f"/api/{route.version}{route.path}"), route) for route in routes]

    def knows(self, method: str, path: str) -> bool:
        """
        Whether there is a route, the fallback aside.

        :param method: the method.
        :param path: the decoded path, without a slash at its end.
        """
        return self.find(method, path)[0] is not None

    def find(self, method: str, path: str) -> tuple[Route | None, dict[str, str], list[str]]:
        """
        The route of a call, its variable parts, and the methods that its path knows.

        :param method: the method.
        :param path: the decoded path, without a slash at its end.
        """
        # A fallback answers GET on every path there is.
        known = {"GET", "HEAD"}
        for pattern, route in self._routes:
            match = pattern.fullmatch(path)
            if match is None:
                continue
            if method in route.methods():
                return route, match.groupdict(), []
            known.update(route.methods())
        return None, {}, [verb for verb in _VERBS if verb in known]

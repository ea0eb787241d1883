"""Personal access tokens: ``/users/{user}/tokens``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import lists, users, validation
from airflow_provider_processmaker.testing.errors import forbidden, not_found
from airflow_provider_processmaker.testing.http import Response
from airflow_provider_processmaker.testing.routing import Route

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.state import Client, State, User
    from airflow_provider_processmaker.testing.tokens import AccessToken

_YEAR = 31_536_000


def _json(state: State, token: AccessToken) -> dict[str, Any]:
    issued = state.clock.micro(token.issued_at)
    return {
        "id": token.id,
        "user_id": token.user_id,
        "client_id": token.client_id,
        "name": token.name,
        "scopes": [],
        "revoked": token.revoked,
        "created_at": issued,
        "updated_at": issued,
        "expires_at": state.clock.micro(token.expires_at),
    }


def _personal_client(state: State) -> Client:
    return next(client for client in state.clients.rows.values() if client.personal_access)


def _find(request: Request) -> AccessToken | None:
    user: User = request.bound["user"]
    for token in request.state.tokens.access.values():
        if token.id == request.bound["tokenId"] and token.user_id == user.id:
            return token
    return None


def index(request: Request) -> Response:
    """
    ``GET /users/{user}/tokens``.

    :param request: the call.
    """
    user: User = request.bound["user"]
    users.check_view(request, user)
    state = request.state
    client = _personal_client(state).json(state.clock.micro(state.started_at))
    rows = [{**_json(state, token), "client": client} for token in state.tokens.personal_of(user.id)]
    items, page = lists.paginate_collection(request, rows)
    # Unlike the other lists without a URL this one does cut: a page past the end is empty.
    items = rows[page.start : page.start + page.per_page]
    return Response.json({"data": items, "meta": lists.meta(request, page, len(items), "/")})


def show(request: Request) -> Response:
    """
    ``GET /users/{user}/tokens/{tokenId}``.

    :param request: the call.
    """
    users.check_view(request, request.bound["user"])
    token = _find(request)
    return Response.json([], 404) if token is None else Response.json(_json(request.state, token))


def store(request: Request) -> Response:
    """
    ``POST /users/{user}/tokens``: oneself or an administrator; 200, not 201.

    :param request: the call.
    """
    user: User = request.bound["user"]
    if request.user.id != user.id and not request.user.is_administrator:
        raise forbidden("Not authorized to update this user.")
    validation.validate(request.input, {"name": [validation.required, validation.at_most(255)]})
    client = _personal_client(request.state)
    token = request.state.tokens.new_access(user.id, client.id, _YEAR, request.text("name"), personal=True)
    return Response.json({"accessToken": token.text, "token": _json(request.state, token)})


def destroy(request: Request) -> Response:
    """
    ``DELETE /users/{user}/tokens/{tokenId}``: revokes.

    :param request: the call.
    """
    user: User = request.bound["user"]
    if request.user.id != user.id and not request.state.can(request.user, "edit-users"):
        raise forbidden("Not authorized to update this user.")
    token = _find(request)
    if token is None:
        return not_found()
    token.revoked = True
    return Response.nothing()


ROUTES = [
    Route("GET", "/users/{user}/tokens", index),
    Route("POST", "/users/{user}/tokens", store),
    Route("GET", "/users/{user}/tokens/{tokenId}", show),
    Route("DELETE", "/users/{user}/tokens/{tokenId}", destroy),
]

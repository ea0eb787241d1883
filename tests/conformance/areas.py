"""
What is not replayed: the one list, by the beginning of a recording's name (``$`` is the end of it), with the reason.

An area that gets built loses its line here, and nothing else changes.
"""

from __future__ import annotations

_WEB = "needs a browser's session: the stand-in has no web side"
_MANY = "which fifty tasks come before those of this page comes from steps that were not recorded"

NOT_SERVED = {
    "files_contents$": "files_contents_with_stub_route is how a server with its packages answers",
    "scripts_execution_poll_broadcast_key": "only the websocket tells this key",
    "tasks_page_2_of_many": _MANY,
    "web_authorize": _WEB,
    "web_oauth_clients_create": _WEB,
    "web_oauth_clients_list$": _WEB,
}


def reason_not_served(name: str) -> str | None:
    """
    Why a recording is not replayed.

    :param name: of the recording.
    """
    for prefix, reason in NOT_SERVED.items():
        if f"{name}$".startswith(prefix):
            return reason
    return None

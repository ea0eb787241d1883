"""No secret in a log record of any logger, in a repr, or in an error."""

from __future__ import annotations

import contextlib
import logging
import pickle
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.client import MemoryStore, ProcessMakerError
from airflow_provider_processmaker.client.scrubbing import Scrubber
from tests.client.conftest import PASSWORD, SECRET, Clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.client import ProcessMakerClient
    from airflow_provider_processmaker.testing import ProcessMakerServer


def test_a_whole_life_at_debug_level(
    server: ProcessMakerServer, connect: Callable[..., ProcessMakerClient], caplog: pytest.LogCaptureFixture
) -> None:
    """Login, refresh, refusals, faults: everything that is logged, raised or shown, by whichever library."""
    said: list[str] = []
    clock, store = Clock(), MemoryStore()
    gate = "gateway-key-0123456789"
    client = connect(server, store=store, clock=clock, max_retries=1, read_timeout=0.3, headers={"X-Gateway-Key": gate})

    def tell(*values: Any) -> None:
        said.extend(f"{value!r} {value}" for value in values)

    def attempt(call: Callable[[], object]) -> None:
        try:
            call()
        except ProcessMakerError as error:
            tell(error)
            said.append("".join(traceback.format_exception(error)))

    with caplog.at_level(logging.DEBUG):
        for logger in ("urllib3", "requests", "airflow_provider_processmaker"):
            logging.getLogger(logger).setLevel(logging.DEBUG)
        tell(
            client, client.settings, client.token(), store, client._session, client._grants, client._session._transport
        )
        for fault in (
            {"drop": "after"},
            {"status": 503, "body": {"message": "x"}},
            {"raw": b"nonsense\r\n\r\n"},
            {"hang": True},
            {"status": 500, "body": {"message": f"{PASSWORD} {SECRET} {gate} {client.token().access_token}"}},
        ):
            server.faults.add("GET", "/groups", **fault)
            attempt(lambda: client.get("groups"))
        clock.offset = 31_536_000
        client.whoami()
        server.revoke_all_tokens(refresh=True)
        client.whoami()
        clock.offset *= 2
        client.whoami()
        attempt(lambda: client.get("/api/1.2/users"))
        for changes in ({"password": "wrong-" + PASSWORD}, {"client_secret": "wrong-" + SECRET}, {"client_id": "77"}):
            attempt(connect(server, **changes).token)
        personal = server.issue_token(personal=True)
        attempt(lambda: connect(server, access_token=personal).get("nope"))
    ours = [record for record in caplog.records if not record.name.startswith("uvicorn")]
    assert {record.name.partition(".")[0] for record in ours} >= {"urllib3", "airflow_provider_processmaker"}
    text = "\n".join([*said, *(f"{record.getMessage()} {record.__dict__}" for record in ours)])
    assert len(server.issued_tokens) >= 6
    for secret in (SECRET, PASSWORD, gate, personal, *server.issued_tokens):
        assert secret not in text
        assert Scrubber([secret])(text) == text, "not in another spelling either"


def test_settings_and_tokens_tell_their_secrets_to_those_who_mask(connect: Callable[..., ProcessMakerClient]) -> None:
    made = connect(
        None,
        base_url="https://x",
        proxy="http://joe:pr%40xy-pass@proxy:3128",
        headers={"X-Key": "gate"},
    ).settings
    assert {PASSWORD, SECRET, "gate", "pr%40xy-pass", "pr@xy-pass"} <= set(made.secrets)
    assert "pr%40xy" not in repr(made)


class TestScrubber:
    @pytest.mark.parametrize(
        "secret", ["plain", "sp ace+&", 'quo"te\\', "é/ü€", "<b>&amp;", "tab\tnew\nline", "🙂🙂🙂🙂", "a" * 2000]
    )
    def test_every_spelling(self, secret: str) -> None:
        import html
        import json
        from urllib.parse import quote, quote_plus, urlencode

        spellings = [
            secret,
            quote(secret, safe=""),
            quote_plus(secret),
            urlencode({"x": secret}),
            json.dumps(secret),
            json.dumps(secret, ensure_ascii=False),
            json.dumps(secret).replace("/", "\\/"),
            html.escape(secret),
            repr(secret),
            repr(secret.encode()),
        ]
        scrub = Scrubber([secret])
        for spelling in spellings:
            assert "***" in scrub(f"before {spelling} after")
            assert secret not in scrub(f"before {spelling} after")
            assert scrub(f"before {spelling} after").startswith("before ")

    def test_one_secret_within_another(self) -> None:
        assert Scrubber(["pass", "password"])("my password") == "my ***"

    def test_what_is_too_short_to_be_secret(self) -> None:
        assert Scrubber(["", "a", "abc"])("an abc") == "an abc"

    def test_it_forgets_the_oldest(self) -> None:
        scrub = Scrubber()
        for number in range(300):
            scrub.learn([f"token-{number:04}"])
        assert scrub("token-0299") == "***"
        assert "token" not in repr(scrub)
        assert len(repr(scrub)) < 60


def test_no_secret_in_a_pickle_of_an_error(
    server: ProcessMakerServer, connect: Callable[..., ProcessMakerClient]
) -> None:
    server.faults.add("POST", "/oauth/token", status=400, body={"error": "invalid_grant", "message": PASSWORD})
    with contextlib.suppress(ProcessMakerError):
        connect(server).token()
        pytest.fail("no error")
    server.faults.add("POST", "/oauth/token", status=400, body={"error": "invalid_grant", "message": PASSWORD})
    with pytest.raises(ProcessMakerError) as caught:
        connect(server).token()
    assert PASSWORD.encode() not in pickle.dumps(caught.value)

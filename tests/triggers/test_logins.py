"""The logins of triggers: hidden in logs, and not repeated at each poll."""

from __future__ import annotations

import asyncio
import dataclasses
import time
from typing import TYPE_CHECKING, Any

import pytest
from airflow.sdk.log import redact

from airflow_provider_processmaker.client import FileStore, ProcessMakerClient, RateLimitedError
from airflow_provider_processmaker.hooks.asynchronous import LoopClient
from airflow_provider_processmaker.hooks.processmaker import ProcessMakerHook
from airflow_provider_processmaker.hooks.token_cache import configured_store
from airflow_provider_processmaker.testing.state import hash_password
from tests.triggers.waits import ended, waiting

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.airflow


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Of the tokens of this test alone."""
    monkeypatch.setenv("AIRFLOW__PROCESSMAKER__TOKEN_CACHE_DIR", str(tmp_path))
    return tmp_path


def shown(secrets: Any) -> list[str]:
    """The secrets that Airflow would let into a log."""
    return [secret for secret in secrets if secret in str(redact(f"found {secret} there"))]


def test_tokens_that_a_trigger_got_are_hidden(server: Any, ids: list[int]) -> None:
    server.complete_request(ids[0])
    assert ended(waiting(ids[0]))[0]["kind"] != "error"

    assert len(server.issued_tokens) == 2
    assert shown(server.issued_tokens) == []


def test_tokens_that_a_trigger_found_and_refreshed_are_hidden(server: Any, ids: list[int], folder: Path) -> None:
    settings = ProcessMakerHook().get_settings()
    with ProcessMakerClient(settings, token_store=FileStore(folder), clock=lambda: 1_000_000.0) as past:
        past.get("groups")
    assert shown(server.issued_tokens) == server.issued_tokens
    server.complete_request(ids[0])

    assert ended(waiting(ids[0]))[0]["kind"] != "error"

    assert [call.status for call in server.calls if call.path == "/oauth/token"] == [200, 200]
    assert len(server.issued_tokens) == 4
    assert shown(server.issued_tokens) == []


def polls(count: int) -> list[str]:
    """What so many polls with one client ended with."""

    async def main() -> list[str]:
        client, outcomes = LoopClient("processmaker_default"), []
        for _ in range(count):
            try:
                await client.call(lambda made: made.get("groups", {"per_page": 1}))
                outcomes.append("")
            except Exception as error:  # noqa: BLE001
                outcomes.append(type(error).__name__)
        await client.close()
        return outcomes

    return asyncio.run(main())


def test_a_429_is_not_met_again_at_each_poll(server: Any) -> None:
    """Also if it is short: a poll does not wait for its end, as a task does."""
    server.faults.add("POST", "/oauth/token", status=429, headers={"Retry-After": "50"}, times=None)

    assert polls(20) == ["RateLimitedError"] * 20

    assert server.token_calls == 1
    impatient = dataclasses.replace(ProcessMakerHook().get_settings(), max_retries=0)
    with (
        ProcessMakerClient(impatient, token_store=configured_store()) as client,
        pytest.raises(RateLimitedError, match="left alone for 50 s") as caught,
    ):
        client.get("groups")
    assert 0 < (caught.value.retry_after or 0) <= 50
    assert server.token_calls == 1


def test_a_task_sits_out_the_429_that_a_poll_met(server: Any) -> None:
    server.faults.add("POST", "/oauth/token", status=429, headers={"Retry-After": "2"})
    assert polls(1) == ["RateLimitedError"]

    began = time.monotonic()
    with ProcessMakerHook().client as client:
        assert client.get("groups")

    assert time.monotonic() - began > 1
    assert server.token_calls == 2


def test_a_refused_login_is_not_met_again_at_each_poll(server: Any) -> None:
    server.user("admin").password = hash_password("set by someone else")

    assert polls(20) == ["LoginError"] * 20

    assert server.token_calls == 1

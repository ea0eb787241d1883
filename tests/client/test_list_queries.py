"""What lists are asked for: queries, orders, and what they do not know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from airflow_provider_processmaker.client import (
    RESOURCES,
    InvalidInputError,
    InvalidQueryError,
    ServerError,
)
from airflow_provider_processmaker.client.pmql import field, split_in

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.client import ProcessMakerClient
    from airflow_provider_processmaker.testing import ProcessMakerServer

    Connect = Callable[..., ProcessMakerClient]

#: Lists with PMQL that a community server has.
PMQL_LISTS = sorted(name for name, one in RESOURCES.items() if one.pmql and name != "collection_records")


class TestQueries:
    @pytest.fixture
    def filled(self, server: ProcessMakerServer) -> ProcessMakerServer:
        server.add_process("Filled", steps=("Wait",))
        server.add_requests("Filled", 12, [{"n": number} for number in range(12)])
        server.reset_calls()
        return server

    def queries(self, server: ProcessMakerServer) -> list[str]:
        return [parse_qs(call.query).get("pmql", [""])[0] for call in server.calls if "per_page" in call.query]

    @pytest.mark.parametrize("window", [1, 3])
    def test_an_or_does_not_escape(self, filled: ProcessMakerServer, client: ProcessMakerClient, window: int) -> None:
        ids = [request.id for request in filled.requests]
        low, high = ids[4], ids[8]
        expected = [id_ for id_ in ids if id_ < low or id_ > high]
        for pmql in (f"id < {low} OR id > {high}", (field("id") < low) | (field("id") > high)):
            found = [row["id"] for row in client.iter_records("requests", page_size=2, look_ahead=window, pmql=pmql)]
            assert found == expected
        queries = self.queries(filled)
        assert queries[0] == f"id < {low} OR id > {high}"
        assert queries[1] == f"(id < {low} OR id > {high}) AND (id > {ids[1]})"

    @pytest.mark.parametrize("pmql", ["id > 1) OR (id > 0", 'name = "x', "", "  ", "(id > 1", 5, ["id > 1"]])
    def test_what_could_reach_out_is_refused_here(
        self, filled: ProcessMakerServer, client: ProcessMakerClient, pmql: Any
    ) -> None:
        with pytest.raises(InvalidInputError):
            list(client.iter_records("requests", pmql=pmql))
        with pytest.raises(InvalidInputError):
            client.count("requests", pmql=pmql)
        assert filled.calls == []

    def test_what_looks_like_a_tag(self, filled: ProcessMakerServer, client: ProcessMakerClient) -> None:
        """Most lists would cut it out of the query, and find something else without a word."""
        filled.add_security_logs(12)
        ids = [request.id for request in filled.requests]
        low, high = ids[4], ids[8]
        found = [row["id"] for row in client.iter_records("requests", pmql=f"id <{low} OR id >{high}")]
        assert found == [id_ for id_ in ids if id_ < low or id_ > high]
        filled.reset_calls()
        with pytest.raises(InvalidInputError, match="tag"):
            list(client.iter_records("security_logs", pmql="id <5 OR id >= 9"))
        with pytest.raises(InvalidInputError, match="tag"):
            client.count("security_logs", pmql="id <5 OR id >= 9")
        assert filled.calls == []
        spaced = [row["id"] for row in client.iter_records("security_logs", pmql="id < 5 OR id >= 9")]
        assert spaced == [id_ for id_ in sorted(spaced) if id_ < 5 or id_ >= 9]
        assert len(spaced) == client.count("security_logs") - 4

    def test_one_that_no_url_holds(self, filled: ProcessMakerServer, client: ProcessMakerClient) -> None:
        with pytest.raises(InvalidInputError, match=r"too long for a URL.*split_in"):
            list(client.iter_records("requests", pmql=field("id").is_in(range(1, 2000))))
        assert filled.calls == []
        batches = split_in("id", range(1, 2000))
        assert len(batches) > 1
        assert sum(client.count("requests", pmql=batch) for batch in batches) == 12

    @pytest.mark.parametrize("pmql", ["this is not valid ==", 'nosuch = "1"'])
    @pytest.mark.parametrize("name", PMQL_LISTS)
    @pytest.mark.parametrize("count", [False, True])
    def test_a_wrong_one_is_one_error(
        self, filled: ProcessMakerServer, client: ProcessMakerClient, name: str, pmql: str, count: bool
    ) -> None:
        """400, 422 or 500, by list and by mistake."""
        with pytest.raises(InvalidQueryError) as caught:
            client.count(name, pmql=pmql) if count else list(client.iter_records(name, pmql=pmql))
        assert caught.value.what == "ProcessMaker does not understand the query."
        assert caught.value.status in {400, 422, 500}
        assert caught.value.path == f"/api/1.0/{RESOURCES[name].path}"
        assert not caught.value.retryable

    @pytest.mark.parametrize("name", ["requests", "tasks", "processes"])
    def test_a_failure_that_is_not_its_fault(
        self, filled: ProcessMakerServer, client: ProcessMakerClient, name: str
    ) -> None:
        filled.faults.add("GET", f"/{name}", status=500, times=None)
        with pytest.raises(ServerError):
            list(client.iter_records(name, pmql="id > 0"))

    def test_a_stumble_is_got_over(self, filled: ProcessMakerServer, client: ProcessMakerClient) -> None:
        filled.faults.add("GET", "/requests", status=500)
        assert len(list(client.iter_records("requests", pmql="id > 0"))) == 12

    def test_a_failure_on_the_way(self, filled: ProcessMakerServer, client: ProcessMakerClient) -> None:
        """The query was answered before, so it is not to blame."""
        filled.faults.add("GET", "/requests", status=500, after=3, times=None)
        stream = client.iter_records("requests", pmql="id > 0", page_size=3, look_ahead=1)
        assert len([next(stream) for _ in range(9)]) == 9
        with pytest.raises(ServerError):
            next(stream)

    @pytest.mark.parametrize(
        ("name", "query"),
        [
            ("users", {"pmql": "id > 1"}),
            ("requests", {"status": "ACTIVE"}),
            ("groups", {"page": 2}),
            ("tasks", {"per_page": 5}),
            ("users", {"filtre": "x"}),
        ],
    )
    def test_what_a_list_does_not_know_is_an_error(
        self, filled: ProcessMakerServer, client: ProcessMakerClient, name: str, query: dict[str, Any]
    ) -> None:
        with pytest.raises(InvalidInputError):
            list(client.iter_records(name, **query))
        assert filled.calls == []

    @pytest.mark.parametrize("order", [{"order_by": "id"}, {"order_by": "id", "order_direction": "ASC"}])
    def test_an_order_by_id_of_ones_own_is_ours(
        self, filled: ProcessMakerServer, client: ProcessMakerClient, order: dict[str, str]
    ) -> None:
        list(client.iter_records("requests", page_size=5, **order))
        assert any("id >" in query for query in self.queries(filled))

    @pytest.mark.parametrize("order", [{"order_by": "name"}, {"order_direction": "desc"}])
    def test_another_order_is_the_weaker_walk(
        self, filled: ProcessMakerServer, client: ProcessMakerClient, order: dict[str, str]
    ) -> None:
        assert len(list(client.iter_records("requests", page_size=5, **order))) == 12
        assert self.queries(filled) == [""] * 3

"""Streams of records over pages, against a server whose pages are not always what they seem."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from airflow_provider_processmaker.client import (
    RESOURCES,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    Page,
    UnexpectedAnswerError,
)
from airflow_provider_processmaker.client.records import page_of, walk
from airflow_provider_processmaker.testing import ProcessMakerServer
from tests.client.conftest import SECRET
from tests.client.raw_server import RawServer, http
from tests.testing.full_server import fill

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_processmaker.client import ProcessMakerClient
    from tests.client.raw_server import Request, Wire
    from tests.testing.full_server import Contents

    Connect = Callable[..., ProcessMakerClient]


def pages_asked(server: ProcessMakerServer) -> list[str]:
    queries = [parse_qs(call.query) for call in server.calls if "per_page" in call.query]
    return [f"{query['page'][0]}x{query['per_page'][0]}" for query in queries]


#: Lists that a community server answers with 404, and so does the stand-in, with what they have to be told.
NOT_SERVED: dict[str, dict[str, Any]] = {
    "collections": {},
    "collection_records": {"collection_id": 1},
    "saved_searches": {},
    "script_executors": {},
}


class TestStream:
    def test_every_user_once_in_the_order_of_ids(self, server: ProcessMakerServer, client: ProcessMakerClient) -> None:
        ids = [user["id"] for user in client.iter_records("users", page_size=7, look_ahead=1)]
        assert ids == sorted(server.user_ids)
        # The first page tells that there are more; then the count and the highest id; then all pages.
        assert pages_asked(server) == ["1x7", "1x1", "1x7", "2x7", "3x7", "4x7"]

    def test_pages_are_asked_for_when_they_are_wanted(
        self, server: ProcessMakerServer, client: ProcessMakerClient
    ) -> None:
        stream = client.iter_records("users", page_size=5, look_ahead=1)
        assert server.calls == [], "nothing is sent before the first record is wanted"
        for _ in range(5):
            next(stream)
        assert pages_asked(server) == ["1x5"]
        next(stream)
        assert pages_asked(server) == ["1x5", "1x1", "1x5", "2x5"]

    @pytest.mark.parametrize("size", [1, 6, 8, 24, 25, 10_000])
    def test_page_sizes_that_fit_and_those_that_do_not(
        self, server: ProcessMakerServer, client: ProcessMakerClient, size: int
    ) -> None:
        assert len(list(client.iter_records("users", page_size=size))) == 24
        pages = -(-24 // size)
        assert len(pages_asked(server)) == (1 if pages == 1 else pages + 2), "no page too many"

    def test_whose_page_size(self, server: ProcessMakerServer, connect: Connect) -> None:
        list(connect(server, page_size=12, look_ahead=1).iter_records("users"))
        list(connect(server, page_size=12).iter_records("users", page_size=24))
        list(connect(server).iter_records("users"))
        list(connect(server).iter_records("requests"))
        assert pages_asked(server) == ["1x12", "1x1", "1x12", "2x12", "1x24", "1x500", "1x100"]

    def test_order_and_query(self, server: ProcessMakerServer, client: ProcessMakerClient) -> None:
        inactive = list(client.iter_records("users", status="INACTIVE", filter="user00"))
        assert {user["status"] for user in inactive} == {"INACTIVE"}
        query = parse_qs(server.calls[-1].query)
        assert (query["order_by"], query["order_direction"]) == (["id"], ["asc"])
        names = [user["username"] for user in client.iter_records("users", order_by="username", order_direction="desc")]
        assert names == sorted(names, reverse=True)

    def test_members_are_ordered_by_who_they_are(self, server: ProcessMakerServer, client: ProcessMakerClient) -> None:
        """An order by id would be ambiguous there, since the rows are joined with the memberships."""
        group = server.add_groups(1)[0]
        server.add_members(group, user_ids=[5, 3, 4])
        assert [row["member_id"] for row in client.iter_records("group_users", group_id=group)] == [3, 4, 5]
        assert server.calls[-1].path.endswith(f"/groups/{group}/users")

    def test_none_is_not_asked_for(self, server: ProcessMakerServer, client: ProcessMakerClient) -> None:
        list(client.iter_records("users", status=None, filter=None))
        assert "status" not in server.calls[-1].query

    def test_an_empty_list(self, server: ProcessMakerServer, client: ProcessMakerClient) -> None:
        assert list(client.iter_records("users", filter="no such user at all")) == []
        assert len(pages_asked(server)) == 1

    def test_errors_come_at_the_record_where_they_happen(
        self, server: ProcessMakerServer, client: ProcessMakerClient
    ) -> None:
        server.faults.add("GET", "/users", after=3, status=403, body={"message": "no more"})
        stream = client.iter_records("users", page_size=10, look_ahead=1)
        assert [next(stream) for _ in range(10)]
        with pytest.raises(ForbiddenError):
            next(stream)

    def test_pages_know_the_total(self, client: ProcessMakerClient) -> None:
        pages = list(client.iter_pages("users", page_size=10))
        assert [(len(page.records), page.total, page.last_page, page.size) for page in pages] == [
            (10, 24, 3, 10),
            (10, 24, 3, 10),
            (4, 24, 3, 10),
        ]


@pytest.fixture(scope="module")
def full() -> Iterator[tuple[ProcessMakerServer, dict[str, Contents]]]:
    """A server in which every list has several pages, and what is in each."""
    with ProcessMakerServer(users=20, client_secret=SECRET, throttle=None) as started:
        yield started, fill(started)


class TestEveryListOfTheTable:
    """Each has several pages, and every row comes once: told apart by the very field that the table names for it."""

    @pytest.mark.parametrize("look_ahead", [1, 4])
    @pytest.mark.parametrize("name", sorted(set(RESOURCES) - set(NOT_SERVED)))
    def test_is_walked(
        self,
        full: tuple[ProcessMakerServer, dict[str, Contents]],
        connect: Connect,
        name: str,
        look_ahead: int,
    ) -> None:
        server, contents = full
        expected = contents[name]
        known = RESOURCES[name]
        key = getattr(known, "key", "case_number" if name == "cases" else "id")
        assert len(expected.rows[key]) > 10, "no three pages"
        client = connect(server)
        server.reset_calls()
        records = list(client.iter_records(name, page_size=5, look_ahead=look_ahead, **expected.query))
        assert sorted(record[key] for record in records) == sorted(expected.rows[key])
        lists = [parse_qs(call.query) for call in server.calls if call.method == "GET"]
        sizes = [int(query[known.size_parameter][0]) for query in lists if known.size_parameter in query]
        if known.paged:
            assert sizes.count(5) >= 3, "it did not come in pages"
            assert client.count(name, **expected.query) == len(records)
        else:
            assert sizes == []
            assert len(lists) == 1

    @pytest.mark.parametrize("name", NOT_SERVED)
    def test_is_not_there(self, client: ProcessMakerClient, name: str) -> None:
        with pytest.raises(NotFoundError):
            list(client.iter_records(name, **NOT_SERVED[name]))


class TestFields:
    def test_chosen_ones_in_the_order_given(self, client: ProcessMakerClient) -> None:
        first = next(client.iter_records("users", fields=["username", "id"]))
        assert list(first.items()) == [("username", "admin"), ("id", 1)]

    def test_remember_token_is_hidden_unless_asked_for(self, client: ProcessMakerClient) -> None:
        assert all("remember_token" not in user for user in client.iter_records("users"))
        assert "remember_token" not in client.get("users/1")
        assert "remember_token" not in client.whoami()
        assert "remember_token" in client.get("users/1", hidden_fields=True)
        assert set(next(client.iter_records("users", fields=["id", "remember_token"]))) == {"id", "remember_token"}
        assert "remember_token" in next(client.iter_pages("users", hidden_fields=True)).records[0]

    def test_hidden_at_every_depth(self, connect: Connect) -> None:
        body = '{"data":[{"id":1,"user":{"remember_token":"x","id":2}}]}'
        deep = '{"remember_token":1,"a":' + "[" * 900 + "]" * 900 + "}"
        for text in (body, deep):
            with RawServer(http(200, text)) as server:
                assert "remember_token" not in str(connect(server, access_token="t").get("x"))

    def test_a_field_that_only_some_records_have(self, connect: Connect) -> None:
        with RawServer(http(200, [{"id": 1, "note": "x"}, {"id": 2}])) as server:
            client = connect(server, access_token="t")
            assert list(client.iter_records("users", fields=["note"])) == [{"note": "x"}, {"note": None}]

    def test_one_that_no_record_has(self, client: ProcessMakerClient) -> None:
        with pytest.raises(InvalidInputError, match=r'No record has a field "user_name".*Did you mean "username"'):
            list(client.iter_records("users", fields=["id", "user_name"]))


class TestCount:
    def test_of_all_and_of_some(self, server: ProcessMakerServer, client: ProcessMakerClient) -> None:
        assert client.count("users") == 24
        assert client.count("users", status="INACTIVE") == 2
        assert {parse_qs(call.query)["per_page"][0] for call in server.calls if "per_page" in call.query} == {"1"}

    @pytest.mark.parametrize("body", [[], {"data": []}, {"data": [], "meta": {"total": "many"}}])
    def test_not_told(self, connect: Connect, body: Any) -> None:
        with RawServer(http(200, body)) as server, pytest.raises(UnexpectedAnswerError, match="does not tell"):
            connect(server, access_token="t").count("users")

    def test_of_a_list_that_comes_whole(self, connect: Connect) -> None:
        with RawServer(http(200, {"data": [{"id": 1}, {"id": 2}]})) as server:
            assert connect(server, access_token="t").count("request_files", request_id=7) == 2


class ListServer(RawServer):
    """Serves rows page by page, with a ``meta`` that a test may falsify."""

    def __init__(self, rows: int, *, cap: int | None = None, meta: Callable[[dict[str, Any]], Any] = lambda meta: meta,
                 past_end: str = "empty") -> None:  # fmt: skip
        super().__init__(self._answer, keep_alive=True)
        self.rows = [{"id": number} for number in range(1, rows + 1)]
        self.cap, self.meta, self.past_end = cap, meta, past_end

    def _answer(self, request: Request, wire: Wire) -> bytes:
        query = {
            name: int(values[0])
            for name, values in parse_qs(request.target.partition("?")[2]).items()
            if values[0].isdigit()
        }
        page, size = query["page"], min(query["per_page"], self.cap or 10**9)
        rows = self.rows[(page - 1) * size : page * size]
        if not rows and self.past_end == "repeat":
            rows = self.rows[(len(self.rows) - 1) // size * size :]
        last = max(1, -(-len(self.rows) // size))
        meta = self.meta({"total": len(self.rows), "last_page": last, "per_page": size, "current_page": page})
        return http(200, {"data": rows, "meta": meta} if meta is not None else {"data": rows})


def wrong(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    return lambda meta: {key: value for key, value in {**meta, **changes}.items() if value != "absent"}


LIES = {
    "none at all": lambda meta: None,
    "a list": lambda meta: [],
    "a text": lambda meta: "meta",
    "last_page too high": wrong(last_page=99),
    "last_page too low": wrong(last_page=1),
    "last_page zero": wrong(last_page=0),
    "last_page negative": wrong(last_page=-3),
    "last_page text": wrong(last_page="many"),
    "last_page number as text": lambda meta: {**meta, "last_page": str(meta["last_page"])},
    "last_page absent": wrong(last_page="absent"),
    "last_page null": wrong(last_page=None),
    "last_page huge": wrong(last_page=10**400),
    "total too high": wrong(total=10**6),
    "total too low": wrong(total=1),
    "total absent": wrong(total="absent"),
    "total text": wrong(total="all of them"),
    "total negative": wrong(total=-1),
    "per_page text": wrong(per_page="x"),
    "per_page zero": wrong(per_page=0),
    "per_page huge": wrong(per_page=10**6),
    "everything absent": wrong(last_page="absent", total="absent", per_page="absent"),
    "other spelling": lambda meta: {"total": meta["total"], "lastPage": meta["last_page"], "perPage": meta["per_page"]},
}


@pytest.mark.parametrize("rows", [0, 4, 5, 10, 23])
@pytest.mark.parametrize("lie", LIES)
def test_meta_may_lie(connect: Connect, lie: str, rows: int) -> None:
    """Every row comes once, whatever meta says, and the walk ends soon."""
    with ListServer(rows, meta=LIES[lie]) as server:
        ids = [record["id"] for record in connect(server, access_token="t").iter_records("users", page_size=5)]
        assert ids == list(range(1, rows + 1))
        assert len(server.requests) <= 2 * (rows // 5) + 6


@pytest.mark.parametrize("rows", [0, 3, 10, 23])
@pytest.mark.parametrize("lie", ["last_page too low", "total too high", "per_page huge", "total too low"])
def test_pages_past_the_end_that_repeat_the_last(connect: Connect, rows: int, lie: str) -> None:
    with ListServer(rows, meta=LIES[lie], past_end="repeat") as server:
        ids = [record["id"] for record in connect(server, access_token="t").iter_records("users", page_size=5)]
        assert ids == list(range(1, rows + 1))


def test_a_server_that_gives_smaller_pages_than_asked_for(connect: Connect) -> None:
    with ListServer(23, cap=4) as server:
        assert len(list(connect(server, access_token="t").iter_records("users", page_size=10))) == 23


@pytest.mark.parametrize(("name", "calls"), [("start_processes", 1), ("processes", 4)])
def test_lists_that_repeat_whole_past_the_end(
    server: ProcessMakerServer, client: ProcessMakerClient, name: str, calls: int
) -> None:
    """Also if the pages fit exactly. The second does not heed "id > 5" here, so it is walked by pages after all."""

    def change(body: Any) -> Any:
        rows = [{"id": number} for number in range(1, 6)]
        return {"data": rows, "meta": {**body["meta"], "total": 5, "last_page": 1, "per_page": 5}}

    server.faults.add("GET", f"/{name}", times=None, change=change)
    assert [row["id"] for row in client.iter_records(name, page_size=5)] == [1, 2, 3, 4, 5]
    assert len(pages_asked(server)) == calls


@pytest.mark.parametrize("period", [1, 2, 3])
@pytest.mark.parametrize("rows", [{"id": 1}, {"name": "without an id"}])
def test_pages_that_repeat_for_ever(connect: Connect, period: int, rows: dict[str, Any]) -> None:
    """A cache that ignores the query, or a server that goes round in circles."""

    def answer(request: Request, wire: Wire) -> bytes:
        page = int(parse_qs(request.target.partition("?")[2])["page"][0])
        return http(200, {"data": [{**rows, "page": page % period}] * 5, "meta": {"last_page": 1000}})

    def answer_by_id(request: Request, wire: Wire) -> bytes:
        page = int(parse_qs(request.target.partition("?")[2])["page"][0])
        return http(200, {"data": [{"id": page % period}] * 5, "meta": {"last_page": 1000}})

    with RawServer(answer_by_id if "id" in rows else answer) as server:
        stream = connect(server, access_token="t").iter_records("users", page_size=5)
        with pytest.raises(UnexpectedAnswerError, match="would never end"):
            for _ in stream:
                pass
        assert len(server.requests) == period + 1


@pytest.mark.parametrize(
    ("body", "shape"),
    [
        (b"", "nothing"),
        ({"id": 5}, "a dict"),
        ({"data": {"id": 5}}, "a dict"),
        ({"data": "x"}, "a str"),
        ([1, 2], "a list"),
        ({"data": [[]]}, "a list"),
        ("null", "nothing"),
        ("5", "a int"),
        ("true", "a bool"),
    ],
)
def test_no_list_at_all(connect: Connect, body: Any, shape: str) -> None:
    with (
        RawServer(http(200, body)) as server,
        pytest.raises(UnexpectedAnswerError, match=f"and {shape} came") as caught,
    ):
        list(connect(server, access_token="t").iter_records("users"))
    assert (caught.value.method, caught.value.path, caught.value.retryable) == ("GET", "/api/1.0/users", False)


def test_no_content_where_a_list_is_due(connect: Connect) -> None:
    with RawServer(http(204, b"")) as server, pytest.raises(UnexpectedAnswerError, match="nothing came"):
        list(connect(server, access_token="t").iter_records("users"))


class TestTheWalkItself:
    """``walk`` takes any way to fetch a page, so that another one may look ahead."""

    def test_it_never_holds_more_than_a_page(self) -> None:
        def fetch(number: int) -> Page:
            return Page([{"id": number}], last_page=10_000)

        stream: Iterator[Page] = walk(fetch, page_size=1, paged=True, path="/x")
        assert sum(len(page.records) for page in stream) == 10_000

    def test_a_bare_list_is_a_page(self) -> None:
        assert page_of([{"id": 1}], "/x") == Page([{"id": 1}])

"""What lists make of the parameters that they know and of those they do not: order, filter, PMQL, pages."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.testing.comments import TOKEN_MODEL

if TYPE_CHECKING:
    from .conftest import Api

REQUEST = "ProcessMaker\\Models\\ProcessRequest"


def ids(api: Api, path: str, **params: Any) -> list[Any]:
    answer = api.get(path, params=params)
    assert answer.status_code == 200, answer.text
    return [row["id"] for row in answer.json()["data"]]


class TestSettings:
    def test_the_place_on_the_page_goes_before_any_order(self, api: Api) -> None:
        last, first = api.server.add_settings(1, order=200), api.server.add_settings(2)
        middle, zero = api.server.add_settings(2, order=100), api.server.add_settings(1, order=0)
        assert ids(api, "/settings", order_by="id") == [*first, *zero, *middle, *last]
        down = ids(api, "/settings", order_by="id", order_direction="desc")
        assert down == [*first[::-1], *zero, *middle[::-1], *last], "the place ascends all the same"

    def test_a_place_that_is_no_number_counts_as_zero(self, api: Api) -> None:
        for key, order in (("one", 1), ("word", "x"), ("text", "12px"), ("null", None)):
            api.call("POST", "/settings", json={"key": key, "name": key, "ui": {"order": order}})
        api.call("POST", "/settings", json={"key": "none", "name": "z", "ui": {"other": 1}})
        keys = [row["key"] for row in api.get("/settings?order_by=id").json()["data"]]
        assert keys == ["none", "word", "null", "one", "text"]

    def test_an_unknown_order_is_by_name_and_an_unknown_direction_an_error(self, api: Api) -> None:
        for name in ("b", "a", "c"):
            api.call("POST", "/settings", json={"key": name, "name": name})
        assert ids(api, "/settings", order_by="nosuch") == ids(api, "/settings") == [2, 1, 3]
        assert api.get("/settings?order_direction=up").status_code == 500

    def test_of_a_group(self, api: Api) -> None:
        mine, none = api.server.add_settings(2, group="Mine"), api.server.add_settings(1)
        assert ids(api, "/settings", group="Mine", order_by="id") == mine
        system = api.get("/settings?group=System").json()["data"]
        assert [(row["id"], row["group"]) for row in system] == [(none[0], "System")]
        assert ids(api, "/settings", group="Nobody's") == []


@pytest.mark.parametrize("path", ["/processes", "/scripts", "/screens", "/settings", "/security-logs"])
def test_tags_are_stripped_from_pmql(api: Api, path: str) -> None:
    """Of ``id <5 OR id >= 9`` only ``id = 9`` is left; a blank behind the sign keeps the rest."""
    server = api.server
    server.add_scripts(12)
    server.add_screens(12)
    server.add_settings(12)
    server.add_security_logs(12)
    for number in range(2, 13):
        server.add_process(f"Process {number}", ())
    assert ids(api, path, pmql="id <5 OR id >= 9") == [9]
    assert set(ids(api, path, pmql="id < 5 OR id >= 9", per_page=50)) >= {4, 9, 10}


@pytest.mark.parametrize("path", ["/requests", "/tasks"])
def test_but_not_where_the_source_says_so(api: Api, path: str) -> None:
    api.server.add_process("Ask")
    api.server.add_requests("Ask", 12)
    everything = ids(api, path, order_by="id", per_page=50)
    found = ids(api, path, pmql="id <5 OR id >= 9", order_by="id", per_page=50)
    assert found == [number for number in everything if number < 5 or number >= 9] != everything


class TestSignals:
    @pytest.fixture(autouse=True)
    def _signals(self, api: Api) -> None:
        api.server.add_example_processes()
        api.server.add_signals(2)

    def test_pmql_asks_about_their_processes(self, api: Api) -> None:
        assert ids(api, "/signals") == ["sig_seed", "signal_001", "signal_002"]
        assert ids(api, "/signals", pmql='name = "Signal Start"') == ["sig_seed"]
        assert ids(api, "/signals", pmql='name = "global_signals"') == ["signal_001", "signal_002"]
        row = api.get("/signals", params={"pmql": 'name = "Signal Start"'}).json()["data"][0]
        assert [process["name"] for process in row["processes"]] == ["Signal Start"]

    def test_a_query_that_finds_no_process_lists_all_signals(self, api: Api) -> None:
        assert ids(api, "/signals", pmql="id > 999") == ids(api, "/signals")

    def test_a_bad_query(self, api: Api) -> None:
        bad = api.get("/signals?pmql===")
        assert (bad.status_code, bad.json()) == (400, {"message": "Your PMQL contains invalid syntax."})
        assert api.get("/signals", params={"pmql": "nosuch = 1"}).status_code == 500

    def test_filter_is_a_part_of_the_id_or_the_name_and_knows_no_wildcards(self, api: Api) -> None:
        assert ids(api, "/signals", filter="SEED") == ["sig_seed"]
        assert ids(api, "/signals", filter="s%d") == []

    def test_a_full_last_page_is_followed_by_an_empty_one(self, api: Api) -> None:
        meta = api.get("/signals?per_page=3").json()["meta"]
        assert (meta["last_page"], meta["total_pages"], meta["total"]) == (2, 1, 3)
        assert ids(api, "/signals", per_page=3, page=2) == []
        assert api.get("/signals?per_page=0").status_code == 500


class TestStartEvents:
    """``ApiCollection`` of a plain list: nothing is cut that fits on one page."""

    def path(self, process: int) -> str:
        return f"/process_bookmarks/processes/{process}/start_events"

    def test_pages(self, api: Api) -> None:
        process = api.server.add_process("Ask", starts=[f"Start {number}" for number in range(1, 13)])
        path = self.path(process)
        first = api.get(path).json()
        assert [event["name"] for event in first["data"]] == [f"Start {number}" for number in range(1, 11)]
        meta = first["meta"]
        assert (meta["total"], meta["last_page"], meta["per_page"], meta["path"]) == (12, 2, 10, "/")
        assert ids(api, path, page=2) == ["node_1_11", "node_1_12"]
        assert ids(api, path, page=9) == [], "past the end of what is cut"
        assert len(ids(api, path, page=9, per_page=12)) == 12, "all again, as nothing was cut"
        assert api.get(f"{path}?per_page=0").status_code == 500

    def test_only_plain_ones(self, api: Api) -> None:
        api.server.add_example_processes()
        assert ids(api, self.path(api.server.process("Signal Start").id)) == []
        assert ids(api, self.path(api.server.process("Simple Task").id)) == ["node_1"]

    def test_who_sees_which(self, api: Api) -> None:
        bobs = api.server.add_process("Bob's", start_users=["bob"])
        both = api.server.add_process("Both's", start_users=["ina", "bob"])
        api.login("bob")
        assert api.get(self.path(bobs)).status_code == 403
        api.server.grant("bob", "view-process-catalog")
        assert api.get(self.path(999)).status_code == 404
        assert ids(api, self.path(bobs)) == ["node_1"]
        assert ids(api, self.path(both)) == [], "only the first of the assigned counts"

    def test_of_a_group_and_of_the_manager(self, api: Api) -> None:
        group, inner = api.server.add_groups(2)
        api.server.add_members(group, group_ids=[inner])
        api.server.add_members(inner, user_ids=[api.server.user("bob").id])
        text = api.server.process(api.server.add_process("Ask")).bpmn
        plain = 'id="node_1"'
        assert plain in text
        grouped = text.replace(plain, f'{plain} pm:assignment="group" pm:assignedGroups="{group}"')
        managed = text.replace(plain, f'{plain} pm:assignment="process_manager"')
        api.server.grant("bob", "view-process-catalog")
        of_group = api.server.add_process("Group's", bpmn=grouped)
        of_manager = api.server.add_process("Manager's", bpmn=managed)
        api.login("bob")
        assert ids(api, self.path(of_group)) == ["node_1"]
        assert ids(api, self.path(of_manager)) == []
        api.server.process(of_manager).manager_id = api.server.user("bob").id
        assert ids(api, self.path(of_manager)) == ["node_1"]

    def test_web_entries_are_told(self, api: Api) -> None:
        text = api.server.process(api.server.add_process("Ask")).bpmn
        for config, web_entry in (('{"web_entry":null}', None), ('{"web_entry":{"mode":"x"}}', {"mode": "x"})):
            quoted = config.replace('"', "&quot;")
            changed = text.replace('id="node_1"', f'id="node_1" pm:config="{quoted}"')
            process = api.server.add_process(config.replace('"', ""), bpmn=changed)
            assert api.get(self.path(process)).json()["data"][0]["webEntry"] == web_entry


class TestComments:
    def test_filter_is_not_heeded(self, api: Api) -> None:
        api.server.add_process("Ask")
        request = api.server.start_request("Ask")
        made = api.server.add_comments(request.id, 3)
        about = {"commentable_type": REQUEST, "commentable_id": request.id}
        assert ids(api, "/comments", **about, filter="nothing like it") == made

    def test_those_of_the_tasks_come_with_the_request_s_whatever_their_type(self, api: Api) -> None:
        api.server.add_process("Ask")
        request = api.server.start_request("Ask")
        made = api.server.add_comments(request.id, 1)
        task = {"commentable_type": TOKEN_MODEL, "commentable_id": api.server.tasks[0].id}
        api.call("POST", "/comments", json={**task, "subject": "S", "body": "B"})
        about = {"commentable_type": REQUEST, "commentable_id": request.id}
        assert ids(api, "/comments", **about) == [*made, made[0] + 1]
        assert ids(api, "/comments", **about, type="LOG") == [made[0] + 1]
        assert ids(api, "/comments", **task) == [made[0] + 1]
        assert ids(api, "/comments", **task, type="LOG") == []


def test_notifications_are_searched_by_name_or_status(api: Api) -> None:
    made = api.server.add_notifications(2)
    api.call("PUT", "/read_notifications", json={"message_ids": made[:1]})
    assert ids(api, "/notifications", filter="ask 2") == made[1:]
    assert ids(api, "/notifications", filter="read") == made[:1]
    assert ids(api, "/notifications", filter="unread") == made[1:]
    assert ids(api, "/notifications", filter="nothing like it") == []


@pytest.mark.parametrize(
    ("path", "parameter"),
    [
        ("/task_assignments", "filter"),
        ("/environment_variables", "include"),
        ("/settings", "include"),
        ("/notifications", "include"),
    ],
)
def test_parameters_that_are_not_heeded(api: Api, path: str, parameter: str) -> None:
    api.server.add_task_assignments(api.server.add_process("Ask"), 2)
    api.server.add_settings(2)
    api.server.add_notifications(2)
    everything = ids(api, path)
    assert len(everything) >= 2
    assert ids(api, path, **{parameter: "nothing_like_it"}) == everything


class TestCases:
    PATH = "/api/1.1/cases"

    def numbers(self, api: Api, kind: str, **params: Any) -> list[int]:
        answer = api.get(f"{self.PATH}/{kind}", params=params)
        assert answer.status_code == 200, answer.text
        return [row["case_number"] for row in answer.json()["data"]]

    def test_pages_in_the_order_of_numbers(self, api: Api) -> None:
        api.server.add_process("Ask")
        api.server.add_requests("Ask", 5)
        pages = [self.numbers(api, "get_all_cases", sortBy="case_number:asc", pageSize=2, page=n) for n in range(1, 5)]
        assert pages == [[1, 2], [3, 4], [5], []]
        assert self.numbers(api, "get_all_cases", sortBy="case_number:desc", pageSize=2, page=2) == [3, 2]
        meta = api.get(f"{self.PATH}/get_all_cases?pageSize=2&page=3").json()["meta"]
        assert meta == {"total": 5, "perPage": 2, "currentPage": 3, "lastPage": 3}
        assert self.numbers(api, "get_all_cases", per_page=2) == [1, 2, 3, 4, 5], "the page size has another name here"

    def test_by_several_columns(self, api: Api) -> None:
        api.server.add_process("B")
        api.server.add_process("A")
        for name in "BAB":
            api.server.start_request(name)
        assert self.numbers(api, "get_all_cases", sortBy="case_title:asc,case_number:desc") == [2, 3, 1]

    @pytest.mark.parametrize(
        "query",
        [
            "sortBy=case_number", "sortBy=case_number:up", "sortBy=nosuch:asc", "pageSize=0", "pageSize=x", "page=0",
            "page=-1", "status=ERROR", "userId=x", "filterBy=x",
        ],
    )  # fmt: skip
    def test_bad_input(self, api: Api, query: str) -> None:
        assert api.get(f"{self.PATH}/get_all_cases?{query}").status_code == 422

    def test_one_s_own_are_those_that_one_started(self, api: Api) -> None:
        api.server.add_process("Ask", assignee="bob", start_users=["ina"])
        api.server.start_request("Ask")
        api.server.start_request("Ask", username="ina")
        admin, bob, ina = (api.server.user(name).id for name in ("admin", "bob", "ina"))
        mine = [self.numbers(api, "get_all_cases", userId=user_id) for user_id in (admin, bob, ina)]
        assert mine == [[1], [], [2]]

    def test_of_a_status_each_case_comes_once_for_everyone_in_it(self, api: Api) -> None:
        api.server.add_process("Ask", ["One", "Two"], assignee="bob")
        for number in range(1, 5):
            api.server.start_request("Ask", {"n": number})
        api.server.complete_request(2)
        api.server.fail_request(3)
        bob = api.server.user("bob").id
        assert self.numbers(api, "get_in_progress", userId=bob, sortBy="case_number:asc") == [1, 4]
        assert self.numbers(api, "get_completed", userId=bob) == [2]
        people = {row["id"] for row in api.get(f"{self.PATH}/get_all_cases").json()["data"][0]["participants"]}
        assert len(self.numbers(api, "get_in_progress")) == 2 * len(people)
        assert self.numbers(api, "get_all_cases", filterBy=json.dumps({"case_status": "ERROR"})) == [3]


class TestMembersOfAGroup:
    """Their rows are of a join: ``id`` is the membership's, and the member is ``member_id``."""

    def test_users(self, api: Api) -> None:
        group = api.server.add_groups(1)[0]
        users = [api.server.user(f"user{number:04}").id for number in (9, 3, 7)]
        memberships = api.server.add_members(group, user_ids=users)
        rows = api.get(f"/groups/{group}/users", params={"order_by": "member_id"}).json()["data"]
        assert [row["member_id"] for row in rows] == sorted(users)
        assert {row["id"]: row["member_id"] for row in rows} == dict(zip(memberships, users, strict=True))
        assert [row["username"] for row in rows] == ["user0003", "user0007", "user0009"]
        params = {"order_by": "member_id", "order_direction": "desc", "per_page": 2, "page": 2}
        assert [row["member_id"] for row in api.get(f"/groups/{group}/users", params=params).json()["data"]] == [
            min(users)
        ]

    def test_groups(self, api: Api) -> None:
        group, *inner = api.server.add_groups(4)
        memberships = api.server.add_members(group, group_ids=inner[::-1])
        rows = api.get(f"/groups/{group}/groups", params={"order_by": "member_id"}).json()["data"]
        assert [row["member_id"] for row in rows] == inner
        assert [row["id"] for row in rows] == memberships[::-1]

    @pytest.mark.parametrize("kind", ["users", "groups"])
    @pytest.mark.parametrize("column", ["id", "created_at"])
    def test_columns_of_both_tables_are_ambiguous(self, api: Api, kind: str, column: str) -> None:
        assert api.get(f"/groups/5/{kind}?order_by={column}").status_code == 500

"""Queries: whatever the values are, the server sees what was meant, or nothing is sent."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone
from enum import StrEnum
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from airflow_provider_processmaker.client.errors import InvalidInputError
from airflow_provider_processmaker.client.pmql import at, field, now, raw, split_in
from tests.client.pmql_grammar import (
    Clause,
    Group,
    NotPmqlError,
    Now,
    meaning_of_like,
    parse,
    sanitized,
    taken_for_date,
)

if TYPE_CHECKING:
    from airflow_provider_processmaker.client.pmql import Expression

fuzz = settings(derandomize=True, deadline=None, max_examples=400)

PIECES = [
    *"\"\\%_'()[]<>/!?-{}#;:.,=\n\t\r aZ9é\U0001f600\u00a0\u2028",
    *(
        '" OR (id > 0) OR status = "',
        '\\"',
        " AND ",
        "NOW",
        "form",
        "<form",
        "</label>",
        "< input>",
        "<b",
        "<!--",
        "-->",
    ),
    *("<?", "?>", "{{", "}}", "2025-01-01", "2025/01/01 10:00:00", "\x00", "\ud800", "true", "1e5", "1 OR 1 = 1"),
]
texts = st.one_of(st.text(max_size=12), st.lists(st.sampled_from(PIECES), max_size=6).map("".join))
long_texts = st.builds(lambda text, times: text * times, texts, st.integers(1, 60))
floats = st.floats() | st.sampled_from([1e-7, 5e-324, 1e16, 1.7e308, -0.0, 0.1])
integers = st.integers() | st.sampled_from([0, -1, 2**63 - 1, -(2**63), 2**63])
scalars = st.one_of(texts, long_texts, integers, floats, st.none(), st.booleans(), st.binary(max_size=3))
names = st.one_of(
    st.sampled_from(["id", "status", "data.airflow_key", "data.items[0].a", "a.b.c", "AND", "now", "cast", "not"]),
    st.from_regex(r"[A-Za-z0-9_]{1,5}(\.[A-Za-z0-9_]{1,3}(\[[0-9]{1,2}\])?){0,3}", fullmatch=True),
    texts,
)
COMPARE = {
    "=": lambda where, value: where == value,
    "!=": lambda where, value: where != value,
    "<": lambda where, value: where < value,
    "<=": lambda where, value: where <= value,
    ">": lambda where, value: where > value,
    ">=": lambda where, value: where >= value,
    "LIKE": lambda where, value: where.like(value),
}


def seen(expression: Expression) -> Group:
    """What the server sees, after everything that it does to a query."""
    text = str(expression)
    assert sanitized(text) == {text}, "the server would rewrite this query"
    text.encode()
    return parse(text)


def only_clause(expression: Expression) -> Clause:
    group = seen(expression)
    while isinstance(group, Group):
        assert len(group.items) == 1
        ((word, group),) = group.items
        assert word == "AND"
    return group


def same(one: object, other: object) -> bool:
    return type(one) is type(other) and repr(one) == repr(other)


class TestAValueNeverChangesTheStructure:
    @fuzz
    @given(names, st.sampled_from(sorted(COMPARE)), scalars)
    def test_of_a_comparison(self, name, operator, value):
        try:
            expression = COMPARE[operator](field(name), value)
        except InvalidInputError:
            return
        clause = only_clause(expression)
        assert (clause.field, clause.operator) == (name, operator)
        assert same(clause.value, value)
        assert not isinstance(value, str) or not taken_for_date(value)

    @fuzz
    @given(names, st.sampled_from(["IN", "NOT IN"]), st.lists(texts) | st.lists(integers) | st.lists(scalars))
    def test_of_a_list(self, name, operator, values):
        try:
            where = field(name)
            expression = where.is_in(values) if operator == "IN" else where.not_in(values)
        except InvalidInputError:
            return
        clause = only_clause(expression)
        assert (clause.field, clause.operator) == (name, operator)
        assert len(clause.value) == len(values)
        assert all(same(there, meant) for there, meant in zip(clause.value, values, strict=True))

    @fuzz
    @given(names, st.sampled_from(["exactly", "startswith", "contains"]), texts | long_texts)
    def test_of_a_text_that_like_carries(self, name, method, text):
        try:
            expression = getattr(field(name), method)(text)
        except InvalidInputError:
            return
        clause = only_clause(expression)
        assert (clause.field, clause.operator) == (name, "LIKE")
        before, after = {"exactly": ([], []), "startswith": ([], ["ANY"]), "contains": (["ANY"], ["ANY"])}[method]
        assert meaning_of_like(clause.value) == [*before, *text, *after]
        assert not taken_for_date(clause.value)

    @fuzz
    @given(texts)
    def test_and_like_carries_every_text_that_can_be_sent(self, text):
        assume(text and not any(ord(char) < 32 and char not in "\t\n\r" for char in text))
        assume("\x7f" not in text and not any("\ud800" <= char <= "\udfff" for char in text))
        assert only_clause(field("name").exactly(text))

    @fuzz
    @given(st.integers(-(10**6), 10**6), st.sampled_from(["days", "hours", "minutes", "seconds"]))
    def test_of_a_while_from_now(self, count, unit):
        value = only_clause(field("created") > now(**{unit: count})).value
        assert value == (Now(count, unit[:-1]) if count else Now())

    @fuzz
    @given(st.datetimes(timezones=st.timezones()), st.timezones())
    def test_of_a_point_in_time(self, moment, zone):
        try:
            value = only_clause(field("created") >= at(moment, zone)).value
        except InvalidInputError:
            return
        assert not taken_for_date(value)
        assert datetime.fromisoformat(value) == moment.astimezone(zone).replace(tzinfo=None)

    @fuzz
    @given(st.lists(st.tuples(texts, st.sampled_from(sorted(COMPARE))), min_size=2, max_size=4))
    def test_of_several_values_side_by_side(self, drawn):
        query, meant = None, []
        for value, operator in drawn:
            try:
                clause, meaning = COMPARE[operator](field("name"), value), (operator, value)
            except InvalidInputError:
                clause, meaning = field("name").contains("(" + "<form>"), ("LIKE", "%(<\\form>%")
            query = clause if query is None else query & clause
            meant.append(meaning)
        ((_, chain),) = [("AND", seen(query))]
        assert [(one.items[0][1].operator, one.items[0][1].value) for _, one in chain.items[0][1].items] == meant

    @fuzz
    @given(
        st.lists(st.sampled_from(["id = 1", " OR ", " AND ", "(", ")", 'a = "', '"', "\\", " "]), max_size=9).map(
            "".join
        )
    )
    def test_of_a_query_written_by_hand(self, text):
        try:
            inner = raw(text)
        except InvalidInputError:
            return
        try:
            outer = parse(str((field("id") > 5) & inner))
        except NotPmqlError:
            return
        ((_, pair),) = outer.items
        (_, first), (word, second) = pair.items
        assert (first, word, second) == (Group((("AND", Clause("id", ">", 5)),)), "AND", parse(text.strip()))

    def test_but_a_comparison_in_chains_is_read_wrongly_without_parentheses(self):
        assert parse("id = 1 AND id = 2 OR id = 3") != parse("id = 1 AND (id = 2 OR id = 3)")

    @pytest.mark.parametrize(
        "text", ["id = 1) OR (id = 2", "(id = 1", "id = 1)", 'name = "a', 'a = "\\"', "", " ", None]
    )
    def test_nor_can_a_query_written_by_hand_leave_its_parentheses(self, text):
        with pytest.raises(InvalidInputError):
            raw(text)

    @pytest.mark.parametrize(
        "text", ["id <5 OR id >= 9", 'name = "<b>"', 'name = "{{x}}"', 'name = "<!-- x"', "id</id"]
    )
    def test_what_the_server_would_cut_out_is_refused(self, text):
        with pytest.raises(InvalidInputError, match=r"takes it for a tag.*space behind"):
            raw(text)
        assert str(raw(text, cleaned=False)) == f"({text})"

    @pytest.mark.parametrize("cleaned", [True, False])
    def test_tags_of_forms_are_cut_out_everywhere(self, cleaned):
        with pytest.raises(InvalidInputError, match="tag"):
            raw('name = "<label" OR name = ">"', cleaned=cleaned)

    @pytest.mark.parametrize("text", ['name = "a)"', 'name LIKE "\\")"', " (id = 1) OR id = 2 ", "id < 5 OR id >9"])
    def test_a_query_written_by_hand_stays_as_it_is(self, text):
        assert str(raw(text)) == f"({text.strip()})"


def model(tree: object) -> object:
    """A tree as the parser gives it, with groups of one opened."""
    if isinstance(tree, Clause):
        return tree.value
    if len(tree.items) == 1:
        return model(tree.items[0][1])
    words = {word for word, _ in tree.items[1:]}
    assert len(words) == 1, "AND and OR side by side"
    return (*words, *(model(item) for _, item in tree.items))


def flat(tree: object) -> object:
    """A tree of pairs, with chains (a & b) & c laid out flat."""
    if not isinstance(tree, tuple):
        return tree
    word, left, right = tree[0], flat(tree[1]), flat(tree[2])
    return (*left, right) if isinstance(left, tuple) and left[0] == word else (word, left, right)


def build(tree: object) -> Expression:
    if not isinstance(tree, tuple):
        return field("name") == tree
    word, left, right = tree
    return build(left) & build(right) if word == "AND" else build(left) | build(right)


trees = st.recursive(
    st.sampled_from(["a", "b) OR (c", "AND", "("]) | st.integers(0, 9),
    lambda inner: st.tuples(st.sampled_from(["AND", "OR"]), inner, inner),
    max_leaves=12,
)


class TestJoining:
    @fuzz
    @given(trees)
    def test_trees_keep_their_shape(self, tree):
        assert model(seen(build(tree))) == flat(tree)

    def test_reads_well(self):
        mine = (field("process_id") == 2) & (field("data.airflow_key") == "k")
        assert str(mine | (field("id") == 1)) == ('(((process_id = 2) AND (data.airflow_key = "k")) OR (id = 1))')
        assert repr(field("id") == 1) == "<Expression (id = 1)>"

    def test_a_long_chain_nests_no_deeper(self):
        query = field("id") == 0
        for number in range(1, 3000):
            query |= field("id") == number
        assert str(query).startswith("((id = 0) OR (id = 1) OR (id = 2)")

    def test_nothing_can_be_lost_silently(self):
        one, other = field("id") > 1, field("id") < 9
        for mistake in (
            lambda: one and other,
            lambda: one or other,
            lambda: not one,
            lambda: 1 < field("id") < 9,
            lambda: field("id") in ["a", "b"],
            lambda: one & "id < 9",
            lambda: one | None,
        ):
            with pytest.raises(InvalidInputError):
                mistake()

    def test_values_on_the_left(self):
        assert str(field("id") > 5) == "(id > 5)"
        assert str(field("name") == "a") == '(name = "a")'

    def test_immutable_and_hashable(self):
        query = field("id") == 1
        assert {query, field("id") == 1} == {query}
        assert hash(field("id")) == hash(field("id"))
        for thing in (query, field("id"), now()):
            with pytest.raises(AttributeError):
                setattr(thing, next(iter(type(thing).__dataclass_fields__)), "other")


class TestFields:
    @pytest.mark.parametrize(
        "name", ["id", "data.a", "data.a_1.b", "data.items[0].price", "data.items[10]", "AND", "1"]
    )
    def test_known(self, name):
        assert str(field(name) == 1) == f"({name} = 1)"

    @pytest.mark.parametrize(
        "name",
        [
            "",
            " id",
            "id ",
            "id\n",
            "data.",
            ".a",
            "a..b",
            "a-b",
            "a b",
            "é",
            "items[0]",
            "a.b[]",
            "a.b[x]",
            "a.b[0][1]",
            "lower(name)",
            "a.b[٣]",
            'a"',
            "id = 1 OR id",
            None,
            5,
            b"id",
        ],
    )
    def test_refused(self, name):
        with pytest.raises(InvalidInputError, match="PMQL has no field"):
            field(name)


class Colour(StrEnum):
    RED = "red"


class TestValues:
    @pytest.mark.parametrize(
        ("value", "text"),
        [
            (5, "5"),
            (-5, "-5"),
            (0, "0"),
            (1.5, "1.5"),
            (1e-7, "0.0000001"),
            (1e20, "100000000000000000000.0"),
            ("It's é", '"It\'s é"'),
            ("a\tb\nc ", '"a\tb\nc "'),
            ("C:\\dir", '"C:\\dir"'),
            ("two at the end\\\\", '"two at the end\\\\"'),
            ("a < b > c", '"a < b > c"'),
            ("manual__2025-01-01T00:00:00+00:00", '"manual__2025-01-01T00:00:00+00:00"'),
            (Colour.RED, '"red"'),
            (date(2026, 11, 24), '"2026-11-24"'),
            (date(26, 1, 2), '"0026-01-02"'),
            (datetime(2026, 11, 24, tzinfo=UTC), '"2026-11-24T00:00:00"'),
            (datetime(2026, 11, 24, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=2))), '"2026-11-23T23:02:03.000004"'),
            (at(datetime(2026, 7, 1, 12, tzinfo=UTC), "America/Los_Angeles"), '"2026-07-01T05:00:00"'),
            (now(), "NOW"),
            (now(minutes=-10), "NOW -10 minute"),
            (now(days=1), "NOW +1 day"),
            (now(hours=-1, minutes=-30), "NOW -5400 second"),
            (now(hours=1, minutes=-60), "NOW"),
        ],
    )
    def test_sent(self, value, text):
        assert str(field("created") >= value) == f"(created >= {text})"

    @pytest.mark.parametrize(
        ("value", "why"),
        [
            (None, "null"),
            (True, "true or false"),
            (2**63, "64 bits"),
            (float("nan"), "not-a-number"),
            (float("-inf"), "infinity"),
            ("", "empty text"),
            ('a "b"', "double quote"),
            ('a \\"b\\"', "double quote"),
            ("end\\", "backslash"),
            ("end\\\\\\", "backslash"),
            ("2025-01-01", "looks like a date"),
            ("2025/1/1", "looks like a date"),
            ("2025.01.01 10:00:00", "looks like a date"),
            ("<form>", "removes"),
            ("a < / LABEL", "removes"),
            ("Bob <bob@example.com>", "removes"),
            ("{{name}}", "removes"),
            ("a\x00", "control characters"),
            ("\ud800", "surrogate"),
            (datetime(2026, 1, 1, tzinfo=UTC).replace(tzinfo=None), "Not a datetime with a zone"),
            (b"a", "bytes"),
            ([1], "list"),
            (field("id"), "Field"),
        ],
    )
    def test_refused(self, value, why):
        with pytest.raises(InvalidInputError, match=why):
            _ = field("name") == value

    @pytest.mark.parametrize(
        ("value", "why"),
        [
            ("é" * 256, "255 characters"),
            (1.5, "as texts"),
            (True, 'write == "true"'),
            (now(), "data holds texts"),
            (datetime(2026, 1, 1, tzinfo=UTC), "data holds texts"),
        ],
    )
    def test_refused_in_data(self, value, why):
        with pytest.raises(InvalidInputError, match=why):
            _ = field("data.a") == value

    def test_of_data_the_server_looks_at_255_characters(self):
        """A text as long as that would be found in a longer one, so it can only be what a text begins with."""
        data, longest = field("data.a"), "é" * 255
        assert str(data == longest[:-1])
        assert str(data.exactly(longest[:-1]))
        assert str(data.startswith(longest))
        assert str(data.contains(longest))
        assert str(field("name") == longest + "é")
        for compare in (
            lambda: data == longest,
            lambda: data != longest,
            lambda: data.is_in(["a", longest]),
            lambda: data.not_in([longest]),
            lambda: data.exactly(longest),
        ):
            with pytest.raises(InvalidInputError, match="255 characters or more"):
                compare()
        with pytest.raises(InvalidInputError, match="more than 255 characters"):
            data.startswith(longest + "é")

    def test_like(self):
        where = field("name")
        assert str(where.like("a%_\\%")) == '(name LIKE "a%_\\%")'
        assert str(where.contains('50% "a_b" \\')) == '(name LIKE "%50\\% \\"a\\_b\\" \\\\%")'
        assert str(where.startswith("2025-01-01")) == '(name LIKE "2025-01-01%")'
        assert str(where.exactly("2025-01-01")) == '(name LIKE "\\2025-01-01")'
        assert str(where.exactly("<b>{{x}}")) == '(name LIKE "<\\b>\\{\\{x\\}\\}")'

    @pytest.mark.parametrize("method", ["like", "contains", "startswith", "exactly"])
    @pytest.mark.parametrize("value", [None, 5, "", "\x00"])
    def test_like_refuses(self, method, value):
        with pytest.raises(InvalidInputError):
            getattr(field("name"), method)(value)

    @pytest.mark.parametrize("amount", [1.5, True, "1", 10**9, None])
    def test_now_refuses(self, amount):
        with pytest.raises(InvalidInputError):
            now(minutes=amount)

    @pytest.mark.parametrize("zone", ["Nowhere/At_All", "../UTC", 5, ""])
    def test_unknown_zones(self, zone):
        with pytest.raises(InvalidInputError, match="zone"):
            at(datetime(2026, 1, 1, tzinfo=UTC), zone)

    def test_times_that_the_zone_cannot_hold(self):
        with pytest.raises(InvalidInputError):
            at(datetime(1, 1, 1, tzinfo=UTC), timezone(timedelta(hours=-5)))


class TestLists:
    def test_sent(self):
        assert str(field("id").is_in([1, 2])) == "(id IN [1, 2])"
        assert str(field("status").not_in(("a", "b"))) == '(status NOT IN ["a", "b"])'
        assert str(field("id").is_in(number for number in (1, 2.5))) == "(id IN [1, 2.5])"

    @pytest.mark.parametrize(
        ("values", "why"),
        [
            ([], "empty list"),
            ([1, "a"], "int and str"),
            ([None], "NoneType"),
            ([True], "true or false"),
            ("abc", "str"),
            ({"a": 1}, "dict"),
            (5, "int"),
            (["2025-01-01"], "date"),
            ([now()], "_Moment"),
            (['"'], "double quote"),
        ],
    )
    def test_refused(self, values, why):
        with pytest.raises(InvalidInputError, match=why):
            field("id").is_in(values)

    @fuzz
    @given(
        st.lists(st.integers(-(2**63), 2**63 - 1)) | st.lists(st.text("aé\U0001f600 \\", min_size=1, max_size=9)),
        st.integers(40, 400),
    )
    def test_split_covers_each_value_once_within_the_limit(self, values, longest):
        try:
            queries = split_in("data.k", values, longest=longest)
        except InvalidInputError:
            return
        found = [item for query in queries for item in only_clause(query).value]
        assert found == values
        sizes = [len(quote(str(query), safe="")) for query in queries]
        assert all(size <= longest for size in sizes)
        for size, following in zip(sizes, queries[1:], strict=False):
            first = str(field("data.k").is_in(only_clause(following).value[:1]))
            assert size + len(quote(first, safe="")) - len(quote("(data.k IN [])", safe="")) + 6 > longest, "not full"

    def test_split(self):
        assert split_in("id", []) == []
        assert [str(query) for query in split_in("id", [1, 2])] == ["(id IN [1, 2])"]
        assert len(split_in("id", range(10**6, 10**6 + 5000))) == 11
        with pytest.raises(InvalidInputError, match="too long"):
            split_in("name", ["a" * 7000])
        with pytest.raises(InvalidInputError, match="int and str"):
            split_in("id", [1, "a"])

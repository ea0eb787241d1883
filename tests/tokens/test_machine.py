"""Two processes, their files, the server and chance: whatever happens in whatever order, some things always hold."""

from __future__ import annotations

import fcntl
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from airflow_provider_processmaker.client import (
    FileStore,
    LoginError,
    ProcessMakerError,
    RateLimitedError,
    TransportError,
    UnauthenticatedError,
)
from airflow_provider_processmaker.client.token_store import login_of
from tests.tokens.inside import DAY, PASSWORD, Killed, Process, Server, settings_of

if TYPE_CHECKING:
    from airflow_provider_processmaker.client import Token

LIFE, BRAKE, REST = 7 * DAY, 30, 60
WHO = st.sampled_from(["one", "other"])
SECONDS = st.sampled_from([0, 1, 6, 25, 31, 61, LIFE - 20, LIFE, 3 * LIFE])
FAULTS = st.sampled_from(["unreachable", "lost", "503", "429", "killed before", "killed after"])
#: Every step ends with a call: by whom, after how many seconds, and what goes wrong meanwhile.
CALL = st.tuples(
    WHO, SECONDS, st.sampled_from([0, 0, 1, 2]).flatmap(lambda n: st.lists(FAULTS, min_size=n, max_size=n))
)
Next = tuple[str, float, list[str]]
#: What the endpoint says if it is the login that it refuses.
REFUSED = {"invalid_grant", "invalid_client"}


class Logins(RuleBasedStateMachine):
    """Everything that can happen to a login."""

    @initialize()
    def begin(self) -> None:
        self.folder = Path(tempfile.mkdtemp())
        self.server = Server(access_token_seconds=LIFE)
        self.server.on_grant = self.watch
        self.lock = FileStore(self.folder).folder / f"{login_of(settings_of(self.server)).name}.lock"
        self.processes = {who: self.process() for who in ("one", "other")}
        #: When the server last refused the login, and last asked to be left alone.
        self.refused_at = self.throttled_at = -1e9
        self.dead: set[str] = set()
        self.accepted: set[str] = set()
        self.spent: set[str] = set()
        #: What came of the token calls that the last call of the API made.
        self.last: list[str] = []

    def process(self) -> Process:
        return Process(self.server, FileStore(self.folder))

    def teardown(self) -> None:
        if hasattr(self, "folder"):
            self.in_the_end_all_is_well()
            shutil.rmtree(self.folder, ignore_errors=True)

    def in_the_end_all_is_well(self) -> None:
        """Once nothing is wrong any more and the waits are over, every process gets its answer."""
        self.server.next.clear()
        self.server.set_password()
        self.server.client.revoked = False
        self.server.clock.advance(max(BRAKE, REST) + 1)
        for who in self.processes:
            assert self.call(who) is None

    # -- what a call may do --------------------------------------------------------------------------------------------

    def watch(self, form: dict[str, str]) -> None:
        """At each token call: the lock is held, and the refresh token is not one that was sent before."""
        with self.lock.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            else:
                raise AssertionError("a token was asked for without the lock")
        if "refresh_token" in form:
            assert form["refresh_token"] not in self.spent, "a refresh token that was sent before"
            self.sent = form["refresh_token"]

    @rule(then=CALL)
    def a_call(self, then: Next) -> None:
        self.go_on(then)

    def go_on(self, then: Next) -> None:
        """A call, after a while, by somebody, with what goes wrong at the token endpoint meanwhile."""
        who, seconds, faults = then
        self.server.clock.advance(seconds)
        self.server.next[:] = faults
        self.call(who)

    def call(self, who: str) -> ProcessMakerError | None:
        """Call the API; what went wrong."""
        self.server.grants.clear()
        self.server.used.clear()
        self.sent: str | None = None
        there = self.processes[who].tokens.latest()
        error: ProcessMakerError | None = None
        try:
            self.processes[who].call()
        except ProcessMakerError as problem:
            error = problem
        except Killed:
            # Whoever comes after does not know what it knew.
            self.processes[who] = self.process()
            self.sent = None
        self.last = self.server.outcomes()
        self.check_tokens(error)
        self.check_grants()
        if self.last[-1:] not in (["killed before"], ["killed after"]):
            self.check_error(error, there)
        self.accepted |= {token for token, status in self.server.used if status == 200}
        return error

    def check_tokens(self, error: ProcessMakerError | None) -> None:
        """A token that was found dead is never used again, by nobody."""
        for token, _ in self.server.used:
            assert token not in self.dead, "a token that is known to be dead"
        if not isinstance(error, UnauthenticatedError):  # as it says, it has kept the token
            self.dead |= {token for token, status in self.server.used if status == 401}
        if self.sent and self.last[0] in {"200", "lost", "invalid_request"}:
            self.spent.add(self.sent)

    def check_grants(self) -> None:
        """At most a refresh and a password, and none while the server is to be left alone."""
        now = self.server.clock.now()
        assert len(self.last) <= 2
        if 0 <= now - self.throttled_at < REST or 0 <= now - self.refused_at < BRAKE:
            assert self.last == []
        if "200" in self.last[-1:]:
            self.refused_at = self.throttled_at = -1e9
        if "429" in self.last[-1:]:
            self.throttled_at, self.refused_at = now, -1e9
        if REFUSED & set(self.last[-1:]):
            self.refused_at, self.throttled_at = now, -1e9

    def check_error(self, error: ProcessMakerError | None, there: Token | None) -> None:
        """It succeeds, or fails as it should; and never as long as there is a good token."""
        now = self.server.clock.now()
        assert not (error and there and there.access_token in self.server.alive())
        if error is None:
            assert self.server.used[-1][1] == 200
        elif isinstance(error, LoginError):
            assert 0 <= now - self.refused_at < BRAKE
            assert not error.retryable
            assert (error.status, error.method, error.path) in {
                (status, "POST", "/oauth/token") for status in (400, 401)
            }
        elif isinstance(error, RateLimitedError):
            assert error.retryable
            assert error.retry_after == self.throttled_at + REST - now > 0
        elif isinstance(error, UnauthenticatedError):
            assert "does not accept it" in str(error)
            assert self.last == []
            assert not self.accepted & {token for token, _ in self.server.used}
        else:
            assert isinstance(error, TransportError) or error.status == 503
            assert error.retryable
            assert self.last[-1] in {"unreachable", "lost", "503"}

    # -- what happens --------------------------------------------------------------------------------------------------

    @rule(refresh=st.booleans(), then=CALL)
    def tokens_are_revoked(self, refresh: bool, then: Next) -> None:
        self.server.revoke(refresh=refresh)
        self.go_on(then)

    @rule(right=st.booleans(), then=CALL)
    def the_password_is_changed(self, right: bool, then: Next) -> None:
        self.server.set_password(PASSWORD if right else "another")
        self.go_on(then)

    @rule(revoked=st.booleans(), then=CALL)
    def the_client_is_revoked(self, revoked: bool, then: Next) -> None:
        self.server.client.revoked = revoked
        self.go_on(then)

    @rule(who=WHO, then=CALL)
    def a_new_process(self, who: str, then: Next) -> None:
        self.processes[who] = self.process()
        self.go_on(then)

    @rule(then=CALL)
    def the_files_are_deleted(self, then: Next) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        self.refused_at = self.throttled_at = -1e9
        # What the memory of a process still knows is not known to the others.
        self.processes = {who: self.process() for who in self.processes}
        self.go_on(then)

    @rule(who=WHO, then=CALL)
    def the_button(self, who: str, then: Next) -> None:
        """It always asks."""
        self.server.grants.clear()
        try:
            self.processes[who].tokens.log_in()
        except ProcessMakerError:
            pass
        except Killed:
            self.processes[who] = self.process()
        self.last = self.server.outcomes()
        assert len(self.last) == 1
        now = self.server.clock.now()
        if self.last[0] in {"200", "429"} | REFUSED:
            self.refused_at = now if self.last[0] in REFUSED else -1e9
            self.throttled_at = now if self.last[0] == "429" else -1e9
        self.go_on(then)

    @invariant()
    def the_files_do_not_pile_up(self) -> None:
        if hasattr(self, "folder"):
            assert len(list(self.folder.glob("*/*"))) <= 4


TestLogins: Any = Logins.TestCase
TestLogins.settings = settings(
    max_examples=150,
    stateful_step_count=30,
    phases=[Phase.generate],  # to make a failure shorter would take minutes
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)

"""The rig: PostgreSQL, Airflow, the stand-in server and the proxy between them, started once for all tests here."""

from __future__ import annotations

import contextlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults import postgres
from tests.faults.airflow_rig import Airflow
from tests.faults.components import COMPONENTS
from tests.faults.postgres import Postgres
from tests.faults.processes import reaped
from tests.faults.proxy import FaultProxy
from tests.faults.scenes import Scene
from tests.faults.stand_in import StandIn

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

_HERE = Path(__file__).parent
_ASKED = "PROCESSMAKER_TEST_FAULTS"
_WHY = f"needs PostgreSQL (apt-get install postgresql) and minutes: set {_ASKED}=1"
_FAILED = pytest.StashKey[bool]()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What needs the rig runs in one process, and only if somebody asks for it."""
    asked = pytest.mark.skipif(not os.environ.get(_ASKED), reason=_WHY)
    for item in items:
        if _HERE in item.path.parents and "rig" in getattr(item, "fixturenames", ()):
            for mark in (pytest.mark.faults, pytest.mark.airflow, pytest.mark.xdist_group("standalone"), asked):
                item.add_marker(mark)


@dataclass(frozen=True)
class Rig:
    """All that a fault needs.

    :param folder: of all of it.
    :param postgres: Airflow's database.
    :param stand_in: the ProcessMaker.
    :param proxy: between both.
    :param airflow: the Airflow, whose connections ``processmaker_default`` and ``processmaker_hasty`` (which waits 3 s
        for an answer) lead through the proxy.
    """

    folder: Path
    postgres: Postgres
    stand_in: StandIn
    proxy: FaultProxy
    airflow: Airflow

    @contextlib.contextmanager
    def another_airflow(self, name: str) -> Iterator[Airflow]:
        """One more Airflow with the same connection, in a folder and a database of this name."""
        self.postgres.create(name)
        with _airflow(self.folder / name, self.postgres.url(name), self.stand_in, self.proxy) as airflow:
            yield airflow


def _airflow(home: Path, database: str, stand_in: StandIn, proxy: FaultProxy) -> Airflow:
    uri = stand_in.connection_uri(proxy.port)
    connections = {
        "AIRFLOW_CONN_PROCESSMAKER_DEFAULT": uri,
        "AIRFLOW_CONN_PROCESSMAKER_HASTY": f"{uri}&read_timeout=3",
    }
    return Airflow(home, database, connections)


@contextlib.contextmanager
def _folder() -> Iterator[Path]:
    """For all that is started; nothing of it remains."""
    folder = Path(tempfile.mkdtemp(prefix="processmaker-faults-"))
    with reaped(folder):
        if os.geteuid() == 0:
            folder.chmod(0o711)  # PostgreSQL, which won't run as root, must get to its own part
        yield folder


@pytest.fixture(scope="session")
def _rig() -> Iterator[Rig]:
    missing = postgres.missing()
    if missing is not None:
        pytest.skip(missing)
    with _folder() as folder, Postgres(folder) as database:
        database.create("airflow")
        with (
            StandIn(folder, throttle=None) as stand_in,
            FaultProxy(stand_in.port) as proxy,
            _airflow(folder / "airflow", database.url("airflow"), stand_in, proxy) as airflow,
        ):
            yield Rig(folder, database, stand_in, proxy, airflow)


@pytest.fixture
def rig(_rig: Rig, request: pytest.FixtureRequest) -> Iterator[Rig]:
    """The rig, with nothing wrong; whatever a test leaves behind is mended."""
    yield _rig
    if request.node.stash.get(_FAILED, False):
        for name in COMPONENTS:
            request.node.add_report_section("teardown", name, _rig.airflow.component_log(name))
    _rig.proxy.reset()
    _rig.proxy.up()
    if not _rig.postgres.is_up:
        _rig.postgres.restart()
    _rig.airflow.recover()
    _rig.stand_in.reset()
    _rig.proxy.reset()  # the calls, once more


@pytest.fixture
def scene(rig: Rig, request: pytest.FixtureRequest) -> Iterator[Scene]:
    """The scene of a case; what came of it is kept if all was as it should be."""
    case = request.node.get_closest_marker("case")
    scene = Scene(rig, *case.args)
    yield scene
    if not request.node.stash.get(_FAILED, False):
        scene.record()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Note that a test has failed, so that its fixture can say more."""
    report = yield
    item.stash[_FAILED] = item.stash.get(_FAILED, False) or report.failed
    return report

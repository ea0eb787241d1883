"""The fault table, first part: what goes wrong while a process is started."""

from __future__ import annotations

import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.faults.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.faults.conftest import Rig
    from tests.faults.scenes import Scene

START = ("POST", "/process_events/*")
ONE = {"COMPLETED": 1}


@pytest.mark.telling
@pytest.mark.case("1", "The answer to the start is lost")
def test_answer_lost(scene: Scene) -> None:
    scene.write()
    lost = scene.rig.proxy.add(*START, drop="after", times=6)
    scene.start()
    scene.wait_waiting()
    assert lost.hits == 6
    scene.complete()
    scene.end(ONE, said="The start has no answer; looking for it", tries=1)


@pytest.mark.case("2", "The connection is reset before the server has worked")
def test_reset_before(scene: Scene) -> None:
    scene.write()
    reset = scene.rig.proxy.add(*START, reset="before", times=6)
    scene.start()
    scene.wait_waiting()
    assert reset.hits == 6
    scene.complete()
    scene.end(ONE, said="It was not started; starting it again", tries=1)


@pytest.mark.telling
@pytest.mark.case("3", "The server answers 500 after the request was made")
def test_500_after_the_row(scene: Scene) -> None:
    scene.write()
    failed = scene.rig.stand_in.add_fault(*START, status=500, process=True, times=6)
    scene.start()
    scene.wait_waiting()
    assert failed.hits == 6
    scene.complete()
    scene.end(ONE, said="The start has no answer; looking for it", tries=1)


@pytest.mark.case("4", "The start times out, and the request appears 10 s later")
def test_time_out(scene: Scene) -> None:
    scene.write(processmaker_conn_id="'processmaker_hasty'", settle_window=20.0)
    late = scene.rig.proxy.add(*START, delay=10, times=6)
    scene.start()
    scene.wait_waiting()
    assert late.hits == 6
    scene.complete()
    scene.end(ONE, said="did not answer within 3 s", tries=1)


@pytest.mark.telling
@pytest.mark.case("5", "The worker is killed before the start is sent")
def test_killed_before_the_start(scene: Scene) -> None:
    scene.write()
    held = scene.rig.proxy.add(*START, hold="before", times=6)
    scene.start()
    held.wait(6)
    for task in scene.tasks().values():
        task.kill()
    held.release("reset")
    assert scene.requests() == []
    scene.wait_waiting()
    scene.complete()
    scene.end(ONE, tries=2)


@pytest.mark.telling
@pytest.mark.case("6", "The worker is killed between the start and noting the request")
def test_killed_after_the_start(scene: Scene) -> None:
    scene.write()
    held = scene.rig.proxy.add(*START, hold="after", times=6)
    scene.start()
    held.wait(6)
    for task in scene.tasks().values():
        task.kill()
    held.release("drop")
    assert len(scene.requests()) == 6
    for task in scene.tasks().values():
        task.wait_until(lambda fields: fields["try_number"] == 2, what="in its second try")
    scene.wait_waiting()
    scene.complete()
    scene.end(ONE, said="An earlier attempt has started it; it is (ACTIVE|COMPLETED)", tries=2)


@pytest.fixture
def full_disk(rig: Rig) -> Iterator[Path]:
    """A folder on a disk without room."""
    folder = rig.airflow.home / "full"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4k,mode=700", "tmpfs", folder], check=False, capture_output=True, text=True
    )
    if mounted.returncode:
        pytest.skip(f"needs the right to mount: {mounted.stderr.strip()}")
    (folder / "all").write_bytes(b"x" * 4096)
    yield folder
    subprocess.run(["umount", "--lazy", folder], check=True)


@pytest.mark.case("31", "The disk of the token folder is full")
def test_disk_full(scene: Scene, full_disk: Path) -> None:
    preamble = f"""
    import os
    os.environ["AIRFLOW__PROCESSMAKER__TOKEN_CACHE_DIR"] = {str(full_disk)!r}
    """
    scene.begin(preamble=preamble, sensors=True)
    scene.wait_waiting()
    scene.complete()
    scene.end(ONE, said="[Tt]oken.*(memory|No space left)", tries=1)


@pytest.mark.parametrize("hours", [1, -1])
@pytest.mark.case("32", "The clock of the worker is an hour off")
def test_clock_off(scene: Scene, hours: int) -> None:
    scene.number, scene.title = (
        f"32 ({hours:+d} h)",
        f"The clock of the worker is an hour {'ahead' if hours > 0 else 'behind'}",
    )
    preamble = f"""
    import time
    _time = time.time
    time.time = lambda: _time() + {hours * 3600}
    """
    scene.begin(preamble=preamble, timeout=7200, sensors=True)
    scene.wait_waiting()
    scene.complete()
    scene.end(ONE, tries=1)


@pytest.mark.case("2b", "ProcessMaker is down while a process is to be started")
def test_down_at_the_start(scene: Scene) -> None:
    scene.write(retries=5, retry_delay="dt.timedelta(seconds=5)")
    scene.rig.proxy.down()
    scene.start()
    for task in scene.tasks().values():
        task.wait_until(lambda fields: fields["try_number"] >= 1 and fields["state"] != "queued")
    time.sleep(10)
    scene.rig.proxy.up()
    wait_for(lambda: len(scene.requests()) == 6, 90, "not started")
    scene.wait_waiting()
    scene.complete()
    scene.end(ONE, said="No connection to the server could be made")

"""What `firstbell backup` and `restore` do where no hub runs: the real restic, in jails instead of containers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from firstbell.backup.backups import RestoreWish
from firstbell.backup.failure import BackupFailed, Trouble
from firstbell.backup.orders import What
from firstbell.engine.base import Engine
from firstbell.errors import CourseFileError, FirstbellError, StartFailed
from firstbell.model import names
from firstbell.model.container import VolumeSpec, frozen
from firstbell.model.course import Course
from firstbell.model.names import Role
from firstbell.model.observed import ContainerState, Phase
from firstbell.model.runtime import ROSTER_FILE
from firstbell.model.secret import Secret
from firstbell.plan.home import home_volume
from firstbell.work.backups import Done, backups_of, order, stands
from firstbell.work.restore_course import refuse_half_restored, restore_course
from firstbell.work.restore_elsewhere import take_to
from tests.support.jail import needs_jail
from tests.support.jail_engine import JailEngine, Killed
from tests.support.restic import PASSWORD, fill_home, picture

pytestmark = needs_jail
PEOPLE = ("ada", "bob", "eve")


@dataclass
class Place:
    """A course whose hub is down, with homes and backups."""

    jail: JailEngine
    course: Course
    said: list[str] = field(default_factory=list)

    @property
    def engine(self) -> Engine:
        return self.jail.engine

    def tell(self, done: int, all_: int, words: str) -> None:
        self.said.append(f"{done} of {all_}: {words}")

    def volume(self, role: Role) -> Path:
        return self.jail.volumes / names.volume("demo", role)

    def home(self, user: str) -> Path:
        return self.jail.volumes / home_volume(self.course, user).name

    @property
    def course_store(self) -> Path:
        assert self.course.backup
        return Path(self.course.backup.to)

    async def order(self, kind: What, **wish: Any) -> Done:
        return await order(self.engine, self.course, kind, wish, tell=self.tell)

    def pictures(self) -> list[object]:
        coursework = picture(self.volume(Role.COURSEWORK))
        # The folder's own time is that of the copies of databases that came and went in it.
        return [*(picture(self.home(user)) for user in PEOPLE), list(coursework.items())[1:]]


@pytest.fixture
async def place(tmp_path: Path) -> Place:
    """Three people, a roster in the hub's state, and coursework."""
    jail = JailEngine(tmp_path / "jail")
    (tmp_path / "store").mkdir()
    plain: dict[str, Any] = {
        "name": "demo",
        "server": {"image": "x"},
        "access": {"login": "roster", "roster": tmp_path / "roster.csv"},
        "backup": {"to": str(tmp_path / "store"), "password": Secret("env:WORD", PASSWORD)},
        "coursework": {},
    }
    made = Place(jail, Course.model_validate(plain))
    for role in (Role.STATE, Role.COURSEWORK):
        await jail.ensure_volume(VolumeSpec(names.volume("demo", role), frozen(names.labels("demo", role))))
    (made.volume(Role.STATE) / Path(ROSTER_FILE).name).write_text("username\nada\nbob\neve\n")
    fill_home(made.volume(Role.COURSEWORK), seed=9)
    for number, user in enumerate(PEOPLE):
        await jail.ensure_volume(home_volume(made.course, user))
        fill_home(made.home(user), seed=number)
    return made


async def _lose(place: Place) -> None:
    for volume in (await place.jail.observe("demo")).volumes:
        await place.jail.remove_volume(volume.name)


async def test_a_run_is_told_as_it_goes_and_found_afterwards(place: Place) -> None:
    """Each home by name, then all that came of it; the standing knows it, and says when somebody is without."""
    done = await place.order(What.BACKUP)
    assert (done.result["homes"], done.result["done"], done.result["bad"]) == (3, 5, [])
    assert [line for line in place.said if "ada" in line] == ["0 of 5: the home of ada"]
    async with backups_of(place.engine, place.course) as backups:
        now = (await backups.snapshots())[-1].time + 60
        assert (await stands(backups, now)).is_well
        assert not (await stands(backups, now + 3 * 3600)).is_well
        await place.jail.ensure_volume(home_volume(place.course, "new"))
        assert [one.user for one in (await stands(backups, now)).late] == ["new"]
        assert [e.path for e in await backups.entries(await backups.find(RestoreWish("ada")), "week1")]
    assert (await place.order(What.CHECK)).result["snapshots"] == 5
    assert (await place.order(What.DRILL)).result["files"] > 10


async def test_a_whole_course_comes_back_though_it_was_cut_short(place: Place) -> None:
    """Killed in the middle, `up` refuses the half, the next one goes on; nothing of it comes over what is there."""
    await place.order(What.BACKUP)
    before = place.pictures()
    with pytest.raises(CourseFileError, match="nothing of it is overwritten"):
        await restore_course(place.engine, place.course, None, tell=place.tell)
    await _lose(place)
    place.jail.kill_after = {"restore": 0.05}
    with pytest.raises(Killed):
        await restore_course(place.engine, place.course, None, tell=place.tell)
    with pytest.raises(StartFailed, match="only half back"):
        await refuse_half_restored(place.engine, place.course)
    fill_home(place.home("ada") / "half", seed=4)
    done = await restore_course(place.engine, place.course, None, tell=place.tell)
    assert (done.homes, done.earlier) == (3, ())
    assert place.pictures() == before
    assert place.course.access.roster.read_text() == "username\nada\nbob\neve\n"
    await refuse_half_restored(place.engine, place.course)


async def test_somebodys_files_come_beside_theirs_or_elsewhere(place: Place, tmp_path: Path) -> None:
    """As they were at a time; nothing is left behind of the way; another's snapshot is nobody else's."""
    await place.order(What.BACKUP)
    async with backups_of(place.engine, place.course) as backups:
        first = await backups.find(RestoreWish("ada"))
        theirs = await backups.find(RestoreWish("bob"))
    (place.home("ada") / "week1" / "1.ipynb").write_text("today's")
    await place.order(What.BACKUP)
    done = (await place.order(What.RESTORE, user="ada", at=first.time + 0.5, path="week1/1.ipynb")).result
    assert done["place"].startswith("week1/1 (2") and done["snapshot"] == first.id
    back = place.home("ada") / done["place"]
    assert back.read_bytes() == (place.home("ada") / "week1" / "1.ipynb").with_name(back.name).read_bytes()
    assert (place.home("ada") / "week1" / "1.ipynb").read_text() == "today's" != back.read_text(errors="replace")
    with pytest.raises(BackupFailed) as caught:
        await place.order(What.RESTORE, user="ada", snapshot=theirs.id)
    assert caught.value.trouble is Trouble.NO_SNAPSHOT
    with pytest.raises(BackupFailed) as caught:
        await place.order(What.RESTORE, user="ada", path="no/such")
    assert caught.value.trouble is Trouble.NO_PATH
    async with backups_of(place.engine, place.course) as backups:
        taken = await take_to(backups, RestoreWish("bob"), tmp_path / "bobs")
        assert (tmp_path / "bobs" / "link").is_symlink() and taken.files > 10
        # A link out of the folder, and a pipe, are nothing that could be had elsewhere.
        assert sorted(Path(name).name for name in taken.left_out) == ["nowhere", "pipe"]
        with pytest.raises(CourseFileError, match="there already"):
            await take_to(backups, RestoreWish("bob"), tmp_path / "bobs")
    assert not [path for path in place.jail.volumes.iterdir() if "scratch" in path.name]


async def test_homes_in_folders_are_backed_up_by_whose_they_are(place: Place, tmp_path: Path) -> None:
    """Those of people who are known; folders of nobody are named, not passed over in silence."""
    plain = place.course.model_dump(by_alias=True) | {"homes": {"store": str(tmp_path / "homes")}}
    place.course = Course.model_validate(plain)
    place.course.access.roster.write_text("username\nada\nbob\n")
    (tmp_path / "homes").mkdir()
    for user in ("ada", "mallory"):
        fill_home(tmp_path / "homes" / names.home("demo", user))
    done = (await place.order(What.BACKUP)).result
    assert (done["homes"], done["strange"]) == (1, [names.home("demo", "mallory")])
    (tmp_path / "homes" / names.home("demo", "ada") / "week0" / "0.ipynb").unlink()
    back = (await place.order(What.RESTORE, user="ada", path="week0/0.ipynb")).result
    assert back["place"] == "week0/0.ipynb"
    (tmp_path / "homes").rename(tmp_path / "unmounted")
    (tmp_path / "homes").mkdir()
    with pytest.raises(FirstbellError, match="before are not there: ada"):
        await place.order(What.BACKUP)
    (tmp_path / "homes").rmdir()
    (tmp_path / "unmounted").rename(tmp_path / "homes")
    assert (await place.order(What.BACKUP)).result["homes"] == 1


async def test_a_lock_that_a_kill_left_holds_nobody_up(place: Place) -> None:
    """The engine shows that nobody is at work; where somebody is, their lock is waited for, and said."""
    await place.order(What.BACKUP)
    locks = place.course_store / "locks"
    # A lock is written beside its name first, which is 64 digits.
    place.jail.kill_when = {"check": lambda: any(len(lock.name) == 64 for lock in locks.iterdir())}
    with pytest.raises(Killed):
        await place.order(What.CHECK)
    label = names.labels("demo", Role.HELPER)
    place.jail.containers = (ContainerState("firstbell-demo-helper-stats-kept-backup", Phase.RUNNING, labels=label),)
    with pytest.raises(BackupFailed) as caught:
        await place.order(What.CHECK)
    assert caught.value.trouble is Trouble.LOCKED
    place.jail.containers = ()
    assert (await place.order(What.CHECK)).result["snapshots"] == 5

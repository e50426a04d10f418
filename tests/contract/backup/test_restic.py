"""The real restic: what it is told, what it answers, and what it complains of."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from firstbell.backup import restic
from firstbell.backup.failure import BackupFailed, Trouble
from firstbell.backup.schedule import are_left_over
from firstbell.model.backup import Kind, Lock, Storage, Subject
from firstbell.model.observed import RunResult
from firstbell.model.secret import Secret
from tests.support.restic import PASSWORD, Vault, fill_home, needs_restic, picture

pytestmark = needs_restic
ADA = Subject(Kind.HOME, "ada")


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A storage without snapshots; to be copied, as making one takes seconds."""
    folder = tmp_path_factory.mktemp("vault") / "empty"
    Vault(folder).done(restic.INIT)
    return folder


@pytest.fixture
def vault(empty: Path, tmp_path: Path) -> Vault:
    """One of the test's own."""
    return Vault(Path(shutil.copytree(empty, tmp_path / "vault")))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with everything that a home can have."""
    return fill_home(tmp_path / "homes" / "firstbell-demo-home-ada-1234567890")


def _trouble(vault: Vault, arguments: restic.Arguments) -> BackupFailed:
    with pytest.raises(BackupFailed) as caught:
        vault.done(arguments)
    return caught.value


def test_a_home_comes_back_as_it_was(vault: Vault, home: Path, tmp_path: Path) -> None:
    """Every byte, mode, owner, time, link, pipe and attribute, from a snapshot that says whose it is."""
    made = vault.back_up(ADA, home, "2026-11-21T22:00:00Z")
    assert made.is_whole and made.files == 14 and made.added > 0
    (found,) = vault.snapshots()
    assert (found.course, found.subject, found.run, found.is_whole) == ("demo", ADA, "2026-11-21T22:00:00Z", True)
    assert found.paths == (str(home),) and abs(found.time - time.time()) < 60
    vault.done(restic.restore(found.id, str(tmp_path / "back")))
    assert picture(Path(f"{tmp_path}/back{home}")) == picture(home)


def test_a_second_backup_adds_what_is_new(vault: Vault, home: Path) -> None:
    """Of a home in which little has changed little is stored, though another home was stored between."""
    first = vault.back_up(ADA, home)
    vault.back_up(Subject(Kind.HOME, "bob"), fill_home(home.with_name("bob"), seed=2))
    before = restic.stored_bytes(vault.run(restic.STATS), vault.storage)
    (home / "new").write_text("new")
    second = vault.back_up(ADA, home)
    assert second.added < 20_000 < first.added and second.files == first.files + 1
    assert 0 < restic.stored_bytes(vault.run(restic.STATS), vault.storage) - before < 20_000


def test_one_path_comes_back_alone(vault: Vault, home: Path, tmp_path: Path) -> None:
    """A path means itself, whatever a pattern would make of its letters."""
    odd = next(path for path in home.iterdir() if path.name.startswith("a [b]"))
    (home / "a b").mkdir()
    (home / "a b" / "other").write_text("not asked for")
    vault.back_up(ADA, home)
    (found,) = vault.snapshots()
    vault.done(restic.restore(found.id, str(tmp_path / "back"), [str(odd)]))
    back = Path(f"{tmp_path}/back{home}")
    assert [path.name for path in back.iterdir()] == [odd.name]
    assert picture(back / odd.name) == picture(odd)


def test_a_snapshot_is_looked_into(vault: Vault, home: Path) -> None:
    """Its folders one by one, a file's bytes; what is not in it is said not to be."""
    vault.back_up(ADA, home)
    (found,) = vault.snapshots()
    listed = {
        one.path: one for one in restic.entries(vault.run(restic.listing(found.id, f"{home}/week1")), vault.storage)
    }
    names = {f"{home}/week1/{number}.ipynb" for number in (1, 4, 7, 10)}
    assert names <= set(listed) and not any("week0" in path for path in listed)
    some = home / "week1" / "1.ipynb"
    assert listed[str(some)].size == some.stat().st_size and listed[str(some)].type == "file"
    assert listed[str(some)].time == pytest.approx(some.stat().st_mtime, abs=1e-3)
    assert vault.done(restic.dump(found.id, str(some))).stdout == some.read_bytes()
    assert _trouble(vault, restic.dump(found.id, f"{home}/nothing")).trouble is Trouble.NO_PATH
    assert _trouble(vault, restic.listing("deadbeef")).trouble is Trouble.NO_SNAPSHOT
    assert _trouble(vault, restic.forget(["deadbeef"])).trouble is Trouble.NO_SNAPSHOT


def test_what_is_forgotten_is_gone_and_the_rest_is_whole(vault: Vault, home: Path) -> None:
    """Forgetting one snapshot gives its bytes back and leaves the others as they were."""
    vault.back_up(ADA, home)
    vault.back_up(Subject(Kind.STATE), fill_home(home.with_name("state"), seed=3))
    ada, state = (next(s for s in vault.snapshots() if s.subject.kind is kind) for kind in (Kind.HOME, Kind.STATE))
    before = restic.stored_bytes(vault.run(restic.STATS), vault.storage)
    vault.done(restic.forget([ada.id]))
    assert vault.snapshots() == (state,)
    assert restic.stored_bytes(vault.run(restic.STATS), vault.storage) < before
    vault.check()


def test_a_file_that_cannot_be_read_makes_a_backup_that_is_not_whole(vault: Vault, home: Path) -> None:
    """It is kept, named, and never counts as good."""
    # Nobody, not even root, reads a process's memory at address 0.
    made = vault.run(restic.backup("demo", ["course=demo", "kind=state"], [str(home), "/proc/self/mem"]))
    assert not restic.summary(made, vault.storage).is_whole
    assert restic.unreadable(made) == ("/proc/self/mem",)
    assert [snapshot.is_whole for snapshot in vault.snapshots()] == [False]


def test_with_a_wrong_password_nothing_is_read(vault: Vault, home: Path) -> None:
    """Whatever is asked, the answer is that the password is wrong, and neither password is in it."""
    (home / "remarkable-name").write_text("remarkable words " * 100)
    vault.back_up(Subject(Kind.HOME, "remarkable-ada"), home)
    stranger = Vault(vault.folder, "wrong")
    for arguments in (restic.SNAPSHOTS, restic.CHECK, restic.listing("latest"), restic.restore("latest", "/tmp")):
        error = _trouble(stranger, arguments)
        assert error.trouble is Trouble.WRONG_PASSWORD
        assert PASSWORD not in str(error) and "wrong password" not in error.what
    kept = b"".join(path.read_bytes() for path in vault.folder.rglob("*") if path.is_file())
    assert b"remarkable" not in kept


def test_where_nothing_is_it_says_so(tmp_path: Path, vault: Vault) -> None:
    """No storage, one that is there already, a server that does not answer, no room: each by its own word."""
    assert _trouble(Vault(tmp_path / "nothing"), restic.SNAPSHOTS).trouble is Trouble.NO_REPOSITORY
    assert _trouble(vault, restic.INIT).trouble is Trouble.ALREADY_THERE
    away = Vault(tmp_path)
    away.storage = Storage("rest:http://127.0.0.1:9/x", Secret("", PASSWORD))
    assert _trouble(away, restic.SNAPSHOTS).trouble is Trouble.NETWORK


def test_no_space_is_said_in_words_and_what_was_there_stays_good(empty: Path, home: Path, tmp_path: Path) -> None:
    """A storage that is full loses nothing that it had, and goes on once there is room."""
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", small], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("no file system can be mounted here")
    try:
        vault = Vault(Path(shutil.copytree(empty, small / "vault")))
        vault.back_up(ADA, home)
        (home / "big").write_bytes(random.Random(5).randbytes(4_000_000))
        failed = vault.run(restic.backup("demo", ["course=demo", "kind=home", "user=ada"], [str(home)]))
        with pytest.raises(BackupFailed) as caught:
            restic.summary(failed, vault.storage)
        assert caught.value.trouble is Trouble.NO_SPACE
        subprocess.run(["mount", "-o", "remount,size=20m", small], check=True)
        vault.back_up(ADA, home)
        assert len(vault.snapshots()) == 2
        vault.check()
    finally:
        subprocess.run(["umount", small], check=True)


def test_whose_lock_it_is(vault: Vault) -> None:
    """While somebody is at work a check says so; their lock is of this machine, and not left over."""
    holder = subprocess.Popen(
        ["restic", "--no-cache", "-r", vault.folder, "backup", "--stdin", "--json"],
        env={**os.environ, "RESTIC_PASSWORD": PASSWORD},
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while not (held := restic.ids(vault.run(restic.LIST_LOCKS), vault.storage)):
            assert time.monotonic() < deadline
        lock = restic.lock(held[0], vault.run(restic.cat_lock(held[0])), vault.storage)
        assert _trouble(vault, restic.CHECK).trouble is Trouble.LOCKED
        assert (lock.host, lock.is_exclusive) == (os.uname().nodename, False)
        assert not are_left_over([lock], lock.host, time.time())
        assert are_left_over([lock], lock.host, time.time() + 3600)
        assert not are_left_over([lock, Lock("x", "elsewhere", 0, False)], lock.host, time.time() + 3600)
    finally:
        holder.kill()
        holder.wait()
    vault.done(restic.UNLOCK_ALL)
    vault.done(restic.CHECK)


def test_a_byte_flipped_in_any_object_is_found(vault: Vault, home: Path) -> None:
    """In data, index, snapshots, key and settings alike; put right again, the check is clean again."""
    for number in range(2):
        fill_home(home / f"more{number}", seed=10 + number, files=3)
        vault.back_up(ADA, home, str(number))
    vault.check()
    chance = random.Random(7)
    objects = sorted(path for path in vault.folder.rglob("*") if path.is_file())
    assert {path.parent.name for path in objects} >= {"index", "keys", "snapshots"} and len(objects) >= 9
    for path in objects:
        whole = path.read_bytes()
        # Of a key not the case of a letter in a field's name, which nobody reads.
        first = whole.index(b'"salt":"') + 8 if path.parent.name == "keys" else 0
        place, bit = first + chance.randrange(80 if first else len(whole)), 1 << chance.randrange(8)
        path.chmod(0o600)
        path.write_bytes(whole[:place] + bytes([whole[place] ^ bit]) + whole[place + 1 :])
        with pytest.raises(BackupFailed) as caught:
            vault.check()
        assert caught.value.trouble in {Trouble.DAMAGED, Trouble.WRONG_PASSWORD}, (path, place, caught.value)
        path.write_bytes(whole)
    vault.check()


@pytest.mark.parametrize("field", ["created", "username", "hostname"])
def test_a_key_is_checked_where_restic_does_not_look(vault: Vault, field: str) -> None:
    """Of a key restic itself reads only what it needs to open it."""
    (key,) = (vault.folder / "keys").iterdir()
    whole = key.read_bytes()
    place = whole.index(field.encode()) + len(field) + 4
    key.chmod(0o600)
    key.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
    assert vault.run(restic.CHECK).exit_code == 0
    with pytest.raises(BackupFailed) as caught:
        vault.check()
    assert caught.value.trouble is Trouble.DAMAGED


def test_a_snapshot_that_cannot_be_read_is_never_passed_over(vault: Vault, home: Path) -> None:
    """restic lists the rest and ends well; whoever believed it would forget the wrong ones."""
    vault.back_up(ADA, home, "1")
    vault.back_up(ADA, home, "2")
    broken = next((vault.folder / "snapshots").iterdir())
    broken.chmod(0o600)
    broken.write_bytes(broken.read_bytes()[:-1] + b"\0")
    assert vault.run(restic.SNAPSHOTS).exit_code == 0
    with pytest.raises(BackupFailed) as caught:
        vault.snapshots()
    assert caught.value.trouble is Trouble.DAMAGED


def test_killed_anywhere_the_next_goes_on(vault: Vault, home: Path) -> None:
    """Twenty backups, each killed at another moment: what was good stays, the next is whole, the check is clean."""
    chance = random.Random(20)
    vault.back_up(ADA, home, "first")
    longest, killed = 4.0, 0
    while killed < 20:
        (home / f"new{killed}").write_bytes(chance.randbytes(1_000_000))
        process = vault.process(restic.backup("demo", ["course=demo", "kind=home", "user=ada"], [str(home)]))
        began = time.monotonic()
        try:
            process.communicate(timeout=longest * chance.random())
            longest = min(longest, time.monotonic() - began)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            killed += 1
        if killed % 5 == 0:
            assert [one.run for one in vault.snapshots() if one.is_whole] == ["first"]
    vault.done(restic.UNLOCK_ALL)
    vault.back_up(ADA, home, "last")
    vault.check()
    last = next(one for one in vault.snapshots() if one.run == "last")
    vault.done(restic.forget([one.id for one in vault.snapshots() if one.id != last.id]))
    vault.check()
    vault.done(restic.restore(last.id, f"{vault.folder}-back"))
    assert picture(Path(f"{vault.folder}-back{home}")) == picture(home)


def test_no_secret_is_in_a_message() -> None:
    """Neither a password nor a login that an address holds, however the program repeats it."""
    keys = {"RESTIC_REST_USERNAME": Secret("", "fred"), "RESTIC_REST_PASSWORD": Secret("", "p/w@1")}
    storage = Storage("rest:https://host/x", Secret("", PASSWORD), keys)
    address = storage.repository("/backup")
    assert address == "rest:https://fred:p%2Fw%401@host/x"
    said = f"Fatal: {address} {PASSWORD} p/w@1: connection refused"
    with pytest.raises(BackupFailed) as caught:
        restic.done(RunResult(1, b"", said.encode()), storage)
    shown = str(caught.value)
    assert not any(word in shown for word in ("fred", "p/w@1", "p%2Fw%401", PASSWORD))


@pytest.mark.parametrize(
    ("code", "trouble"), [(10, Trouble.NO_REPOSITORY), (11, Trouble.LOCKED), (12, Trouble.WRONG_PASSWORD)]
)
def test_newer_restics_say_it_by_their_exit_code(code: int, trouble: Trouble) -> None:
    """Since 0.17, with words that may change."""
    with pytest.raises(BackupFailed) as caught:
        restic.done(RunResult(code, b"", b"whatever"), Storage("/srv/b", Secret("", "x")))
    assert caught.value.trouble is trouble

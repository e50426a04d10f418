"""What the containers of backups may."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path
from shlex import quote
from typing import Any

import pytest

from firstbell.backup import restic
from firstbell.backup.containers import REPOSITORY, Helpers
from firstbell.engine.docker_config import create_body
from firstbell.engine.fake import FakeEngine
from firstbell.engine.fake_process import Process
from firstbell.errors import HomeMissing
from firstbell.model.backup import Kind, Storage, Subject
from firstbell.model.container import NO_NETWORK, ContainerSpec, MountKind
from firstbell.model.course import Course
from firstbell.model.observed import ImageState, RunResult
from firstbell.model.secret import Secret
from firstbell.plan.home import home_volume
from tests.support.restic import Vault, needs_restic

SERVER: Any = {"image": "x"}
COURSE = Course(name="demo", server=SERVER)
REMOTE = Storage(
    "s3:https://s3.example.org/b",
    Secret("env:P", "it's geheim"),
    {"AWS_SECRET_ACCESS_KEY": Secret("env:K", "$streng`")},
)
LOCAL = Storage("/srv/backup", Secret("env:P", "geheim"))
ADA = Subject(Kind.HOME, "ada")


def helpers(storage: Storage = REMOTE, course: Course = COURSE) -> Helpers:
    return Helpers(course, "vault:1", storage, "machine")


def settings(spec: ContainerSpec) -> str:
    file = spec.files[0]
    assert (file.mode, file.uid) == (0o400, 0)
    return (file.content or b"").decode()


def test_a_home_is_seen_alone_and_read_only() -> None:
    """One home, under a path that is this home's own and the same each time; the only right is to read."""
    spec = helpers().back_up(ADA, "run")
    (mount,) = spec.mounts
    assert (mount.source, mount.read_only) == (home_volume(COURSE, "ada").name, True)
    assert mount.target == f"/homes/{mount.source}" and spec.command[-1] == mount.target
    assert spec.capabilities == ("DAC_READ_SEARCH",)
    assert spec == helpers().back_up(ADA, "run")
    other = helpers().back_up(Subject(Kind.HOME, "a-da"), "run")
    assert other.name != spec.name and other.mounts[0].target != mount.target


def test_no_secret_can_be_inspected() -> None:
    """Neither in arguments nor in the environment; the file that has them survives any quoting."""
    spec = helpers().back_up(ADA, "run")
    assert not any(word in str(create_body(spec)) for word in ("geheim", "streng"))
    told = settings(spec)
    assert "RESTIC_REPOSITORY=s3:https://s3.example.org/b\n" in told
    assert "AWS_SECRET_ACCESS_KEY='$streng`'\n" in told and "RESTIC_PASSWORD='it'\"'\"'s geheim'\n" in told


def test_a_directory_of_the_machine_needs_no_network() -> None:
    """It is mounted, and may belong to anybody; a storage elsewhere is reached by the machine's own network."""
    near, far = helpers(LOCAL).ask(restic.SNAPSHOTS), helpers().ask(restic.SNAPSHOTS)
    assert (near.network, near.hostname) == ("none", "machine") and far.network == "host"
    assert [(m.kind, m.source, m.target) for m in near.mounts] == [(MountKind.BIND, "/srv/backup", REPOSITORY)]
    assert f"RESTIC_REPOSITORY={REPOSITORY}\n" in settings(near)
    assert (far.mounts, far.capabilities) == ((), ())
    assert near.command[-2:] == ("snapshots", "--json")


def test_homes_in_a_directory_are_folders_of_it() -> None:
    """The helper sees the person's folder, not the directory of all."""
    homes: Any = {"store": "/srv/homes"}
    spec = helpers(course=Course(name="demo", server=SERVER, homes=homes)).back_up(ADA, "run")
    (mount,) = spec.mounts
    assert mount.kind is MountKind.BIND and mount.source == "/srv/homes/" + home_volume(COURSE, "ada").name


def test_the_hubs_volumes_leave_their_live_databases_out() -> None:
    """State and coursework, each alone and read-only."""
    for kind, volume in ((Kind.STATE, "firstbell-demo-state"), (Kind.COURSEWORK, "firstbell-demo-coursework")):
        spec = helpers().back_up(Subject(kind), "run", ("/x/book.sqlite",))
        assert [(m.source, m.read_only) for m in spec.mounts] == [(volume, True)]
        assert "--exclude=/x/book.sqlite" in spec.command


def test_what_copies_databases_knows_no_password() -> None:
    """It has the one volume, no network and no storage, and its program needs nothing of ours."""
    spec = helpers(LOCAL).databases("copy", Subject(Kind.COURSEWORK))
    assert ([m.source for m in spec.mounts], spec.network) == (["firstbell-demo-coursework"], "none")
    (program,) = spec.files
    assert b"geheim" not in (program.content or b"") and b"firstbell." not in (program.content or b"")
    assert spec.command[-2:] == ("copy", spec.mounts[0].target)


def test_a_restore_writes_one_home_and_no_other() -> None:
    """Some of its paths, or all; with the rights to give files back to whom they belonged to."""
    spec = helpers().restore("abc", ADA, ("week1/a*.ipynb",))
    (mount,) = spec.mounts
    assert mount.source == home_volume(COURSE, "ada").name and not mount.read_only
    assert spec.command[-5:] == ("abc", "--no-lock", "--target", "/", f"--include={mount.target}/week1/a\\*.ipynb")
    assert "CHOWN" in spec.capabilities and "SYS_ADMIN" not in spec.capabilities


@needs_restic
def test_a_shell_gives_restic_what_it_is_told(tmp_path: Path) -> None:
    """With a password that a shell would take apart, and the very command of the container."""
    vault = Vault(tmp_path / "it's a $vault", "`geheim` \"$HOME\" 'x' \\")
    vault.done(restic.INIT)
    spec = helpers(replace(vault.storage, to="/srv/backup")).ask(restic.SNAPSHOTS)
    told = tmp_path / "settings.sh"
    told.write_text(
        settings(spec).replace(f"RESTIC_REPOSITORY={REPOSITORY}", f"RESTIC_REPOSITORY={quote(str(vault.folder))}")
    )
    program = tmp_path / "asking.py"
    program.write_bytes(spec.files[-1].content or b"")
    words = [str(told) if word.endswith("settings.sh") else word for word in spec.command]
    words[2] = words[2].replace(spec.files[-1].path, quote(str(program)))
    done = subprocess.run(words, capture_output=True, check=False)
    assert restic.snapshots(RunResult(done.returncode, done.stdout, done.stderr), vault.storage) == ()


async def test_on_an_engine_a_home_that_is_gone_is_never_backed_up_as_empty() -> None:
    """The helper's making fails; with the home there, restic is given its words as they are."""
    engine = FakeEngine()
    engine.images["vault:1"] = ImageState("vault:1", "sha256:1")
    spec = helpers().back_up(ADA, "run")
    with pytest.raises(HomeMissing):
        await engine.run(spec)
    await engine.ensure_volume(home_volume(COURSE, "ada"))
    seen: list[Process] = []

    async def shell(process: Process) -> int:
        seen.append(process)
        process.say('{"message_type":"summary","snapshot_id":"1f","total_files_processed":1,'
                    '"total_bytes_processed":2,"data_added":3,"total_duration":0.5}')  # fmt: skip
        return 0

    engine.programs["sh"] = shell
    made = restic.summary(await engine.run(spec), REMOTE)
    assert (made.snapshot, made.size, made.is_whole) == ("1f", 2, True)
    assert seen[0].argv[3].endswith("settings.sh") and seen[0].argv[4] == "backup"
    assert b"RESTIC_PASSWORD" in seen[0].read(seen[0].argv[3])


def test_of_a_storage_elsewhere_the_list_is_fetched_once() -> None:
    """Its cache is a volume of the course, which also those can write who may only read all else."""
    cached = replace(helpers(), has_cache=True)
    assert {mount.source: mount.read_only for mount in cached.restore_apart("0a", ADA).mounts} == {
        "firstbell-demo-backup-cache": False,
        cached.scratch("ada").name: False,
    }
    at_hand = replace(helpers(LOCAL), has_cache=True)
    assert at_hand.cache is None and [mount.source for mount in at_hand.ask(restic.SNAPSHOTS).mounts] == ["/srv/backup"]


def test_whoever_has_the_storage_has_no_home_in_which_somebody_works() -> None:
    """Files come back by way of a volume of their own; what puts them there has neither password nor network."""
    reads = helpers().restore_apart("0a", ADA, ("week1",))
    puts = helpers().put_back("ada", {"path": "week1", "label": "x"}, (1000, 1000))
    home, scratch = home_volume(COURSE, "ada").name, helpers().scratch("ada").name
    assert [mount.source for mount in reads.mounts] == [scratch]
    assert {mount.source for mount in puts.mounts} == {home, scratch}
    assert puts.network == NO_NETWORK and not any(b"RESTIC" in (file.content or b"") for file in puts.files)

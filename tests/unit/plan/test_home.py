"""Where people's files are."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from firstbell.model import names
from firstbell.model.container import VolumeSpec, frozen
from firstbell.model.course import Course
from firstbell.model.observed import Observed, VolumeState
from firstbell.plan.home import (
    directory_helper,
    home_mount,
    home_volume,
    owned_home,
    seats_with_homes,
    store_mount,
    store_volume,
)


def test_seats_that_have_files_are_found():
    """A seat's home is found by its volume's label or by its folder's name, and nobody else's is taken for one."""
    course = Course.model_validate({"name": "demo", "server": {"image": "x"}, "homes": {"store": "/srv/homes"}})
    volume = VolumeState("v", frozen(names.labels("demo", names.Role.HOME, "seat-002")))
    folders = [names.home("demo", "seat-007"), names.home("demo", "ada"), names.home("other", "seat-009"), "lost+found"]
    assert seats_with_homes(course, Observed("demo", volumes=(volume,)), folders) == {"seat-002", "seat-007"}


NFS = "nfs://files.example.org/export?vers=4.1"


def course(store: str) -> Course:
    """A course whose homes are kept there."""
    return Course.model_validate({"name": "demo", "server": {"image": "x"}, "homes": {"store": store}})


def test_a_home_on_a_file_server_is_mounted_by_the_engine():
    """The volume is a way to the person's folder; one for another address or other options is another volume."""
    volume = home_volume(course(NFS), "ada", "node2")
    assert volume.options["device"] == f":/export/{names.home('demo', 'ada')}"
    assert volume.options["o"].startswith("addr=files.example.org,")
    assert volume.node == "node2"
    assert volume.labels[names.LABEL_ROLE] == "homes"
    assert home_mount(course(NFS), "ada").source == volume.name
    assert home_volume(course(NFS + "&rsize=4096"), "ada").name != volume.name
    assert home_volume(course(NFS), "ben").name != volume.name


def test_only_plain_volumes_and_directories_are_given_their_owner_at_each_start():
    """A file server that does not trust root would refuse, and its folders have their owner already."""
    assert owned_home(course(NFS), 1, 2) == ()
    assert [(f.uid, f.gid, f.mode) for f in owned_home(course("volume"), 1, 2)] == [(1, 2, 0o700)]


def test_helpers_see_all_homes_of_a_store():
    """A directory or an export in one mount; volumes have none."""
    whole = store_mount(course(NFS))
    assert whole
    assert whole.source == (store_volume(course(NFS)) or VolumeSpec("")).name
    assert (store_mount(course("/srv/homes")) or whole).source == "/srv/homes"
    assert store_mount(course("volume")) is None


def test_no_folder_is_made_where_the_directory_is_not_mounted():
    """The helper mounts the marker, which only the shared directory has."""
    helper = directory_helper(course("/mnt/homes"), "ada", "i", 1, 2, node="node2", marker="a1b2")
    assert helper.mounts[1].source == "/mnt/homes/.firstbell-store-a1b2"
    assert helper.node == "node2"


def test_folders_of_a_file_server_are_made_by_a_program(tmp_path):
    """It makes the folder once for its owner alone, lists folders, and looks whether the server answers."""
    helper = directory_helper(course(NFS), "ada", "i", os.getuid(), os.getgid())
    program, words = helper.files[0], helper.command[3:]
    assert words[:2] == ("make", f"/homes/{names.home('demo', 'ada')}")
    script = tmp_path / "home_folder.py"
    script.write_bytes(program.content or b"")

    def run(*argv: str) -> object:
        done = subprocess.run([sys.executable, str(script), *argv], capture_output=True, check=True)
        return json.loads(done.stdout)

    folder = tmp_path / "store" / "ada"
    folder.parent.mkdir()
    assert run("make", str(folder), *words[2:]) == {"made": True}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert run("make", str(folder), *words[2:]) == {"made": False}
    assert run("list", str(folder.parent)) == ["ada"]
    assert run("look", str(folder.parent))

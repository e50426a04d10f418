"""The formgrader as values: what its container may, what of its server is there, what of the folder it touches."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from firstbell.coursework.formgrader import Inputs, formgrader_spec, shared
from firstbell.coursework.layout import Layout
from firstbell.coursework.nbgrader.gate import is_there
from firstbell.model.container import File
from firstbell.model.course import Course
from firstbell.model.runtime import HUB_UID, Runtime

COURSE = Course.model_validate(
    {"name": "demo", "url": "http://x/stats/", "server": {"image": "demo:1"}, "coursework": {}}
)
RUNTIME = Runtime(course="demo", image="demo:1", network="firstbell-demo-servers", gateway="172.16.0.1")


def test_its_container_has_the_folder_and_no_rights():
    """A user of its own in the hub's group, the coursework's volume alone, the token in a file that only it reads."""
    spec = formgrader_spec(Inputs(COURSE, RUNTIME, "grader:1", (File("/opt/x", b""),), "secret-token"))
    uid, gid = spec.user.split(":")
    assert uid != str(HUB_UID) and gid == str(HUB_UID)
    assert [mount.source for mount in spec.mounts] == ["firstbell-demo-coursework"]
    assert spec.capabilities == () and spec.network == "firstbell-demo-servers"
    assert "secret-token" not in repr(spec)
    [told] = [file for file in spec.files if b"secret-token" in (file.content or b"")]
    assert (told.mode, told.uid) == (0o400, int(uid))
    env = json.loads(told.content or b"")["env"]
    assert env["JUPYTERHUB_SERVICE_PREFIX"] == "/stats/services/formgrader/"
    assert json.loads(env["JUPYTERHUB_OAUTH_ACCESS_SCOPES"]) == ["access:services!service=formgrader"]


@pytest.mark.parametrize(
    ("method", "path", "query", "served"),
    [
        ("GET", "", "", True),
        ("GET", "formgrader", "", True),
        ("GET", "formgrader/gradebook/ps1", "", True),
        ("GET", "formgrader/api/grades", "submission_id=1", True),
        ("GET", "formgrader/submissions/1/", "index=0", True),
        ("GET", "static/style/x.css", "", True),
        ("GET", "oauth_callback", "code=1&state=2", True),
        ("PUT", "formgrader/api/grade/1", "", True),
        ("PUT", "formgrader/api/comment/1", "", True),
        ("POST", "formgrader/api/submitted_notebook/1/flag", "", True),
        ("GET", "formgrader", "path=/srv/firstbell/coursework/submitted/eve", False),
        ("GET", "formgrader/", "path=/tmp", False),
        ("GET", "api/contents", "", False),
        ("GET", "files/gradebook.db", "", False),
        ("GET", "lab", "", False),
        ("GET", "tree", "", False),
        ("PUT", "api/contents/gradebook.db", "", False),
        ("POST", "api/kernels", "", False),
        ("POST", "api/terminals", "", False),
        ("POST", "formgrader/api/submission/ps1/ada/autograde", "", False),
        ("POST", "formgrader/api/assignment/ps1/assign", "", False),
        ("POST", "formgrader/api/assignment/ps1/release_feedback", "", False),
        ("PUT", "formgrader/api/student/ada", "", False),
        ("PUT", "formgrader/api/assignment/ps1", "", False),
        ("DELETE", "formgrader/api/grade/1", "", False),
        ("PUT", "formgrader/api/grade/1/../../../../api/contents/x", "", False),
        ("PATCH", "formgrader/api/grade/1", "", False),
    ],
)
def test_only_points_and_words_can_be_written(method, path, query, served):
    """Of Jupyter's server the formgrader's pages are there, and of what these can do points, comments and flags."""
    assert is_there(method, path, query) is served


def test_the_folder_is_the_hubs(tmp_path: Path):
    """The group reads, writes the grade book and makes files; hand-ins and the book of tasks are closed to it."""
    layout = Layout(tmp_path / "coursework")
    (layout.root / "handins/hw1").mkdir(parents=True)
    for path in (layout.gradebook, layout.book, Path(f"{layout.book}-wal")):
        path.write_text("x")
    shared(layout)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (layout.root, *layout.root.iterdir())}
    assert modes == {
        "coursework": 0o1770,
        "gradebook.db": 0o660,
        "book.sqlite": 0o600,
        "book.sqlite-wal": 0o600,
        "handins": 0o700,
    }
    shared(Layout(layout.root))

"""All that is kept of somebody, given out as one file and then taken out, on the real engine with graded work."""

from __future__ import annotations

import csv
import io
import json
import tarfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from firstbell.model import names
from firstbell.work.person_zip import differing
from tests.support.assignment import answered, as_text, source
from tests.support.course import docker, running
from tests.support.school import FOLDER, School

NAME = "test-person"
ROSTER = """\
username,name,email,role,section
grace,Grace Hopper,,instructor,
ada,Ada Lovelace,ada@example.org,student,A
bob,Bob Kahn,,student,A
"""
GOOD = "def square(x):\n    return x * x"
LOOK = """
import sys
from pathlib import Path
found = []
for path in Path(sys.argv[1]).rglob("*"):
    if any(word in str(path.relative_to(sys.argv[1])).lower() for word in sys.argv[2:]):
        found.append(f"{path} is named so")
    elif path.is_file():
        content = path.read_bytes().lower()
        found += [f"{word} in {path}" for word in sys.argv[2:] if word.encode() in content]
print("\\n".join(found))
"""


@pytest.fixture(scope="module")
def school(tmp_path_factory: pytest.TempPathFactory) -> Iterator[School]:
    folder = tmp_path_factory.mktemp("person")
    (folder / "roster.csv").write_text(ROSTER)
    work = folder / FOLDER / "ps1"
    work.mkdir(parents=True)
    (work / "ps1.ipynb").write_text(as_text(source()))
    (work / "data.txt").write_text("ours")
    with running(
        folder,
        NAME,
        access='login = "roster"',
        server='memory = "512M"\npids = 200\nidle = 0',
        rest="[coursework]\n",
    ) as course:
        yield School(course)


def left(school: School, folder: str, *words: str) -> list[str]:
    """Where in a folder of the hub's container one of the words is, in names of files or in their bytes."""
    hub = school.course.container("hub")
    return docker("exec", hub, "python3", "-c", LOOK, folder, *words).splitlines()


async def test_all_of_somebody_is_given_and_taken_out(school: School, tmp_path: Path) -> None:
    """The zip has every byte with its hash; after an erasure no name of theirs is in the hub's files; others stay."""
    course = school.course
    browsers = school.browsers(["ada", "bob"])
    await school.order("release", "ps1")
    async with school.at_work("ada") as ada:
        released = await ada.execute(f"print(open('{FOLDER}/ps1/ps1.ipynb').read())")
        marked = as_text(answered(json.loads(released.text), GOOD))
        await ada.execute(f"open('{FOLDER}/ps1/ps1.ipynb', 'w').write({marked!r})")
        for user in ("ada", "bob"):
            assert school.hand_in(browsers[user], "ps1") == 303
        await school.order("collect", "ps1")
        await school.order("grade", "ps1")
        await school.order("return", "ps1")
        target = tmp_path / "ada.zip"
        course.cli("people", "export", "ada", "--to", str(target))
        assert target.stat().st_mode & 0o777 == 0o600
    read_export(target, school)
    course.cli("people", "export", "bob", "--to", str(tmp_path / "bob.zip"))  # whose server never ran
    assert differing(tmp_path / "bob.zip") == ()
    refused = course.cli("people", "erase", "ada", check=False)
    assert refused.returncode != 0 and "--yes" in refused.stderr
    planned = school.ask("people", "erase", "ada", "--dry-run")
    assert not planned["erased"] and "their home" in planned["goes"] and "handins" in " ".join(planned["goes"])
    assert school.ask("activity", "--user", "ada")["entries"][0]["kind"] != "erased"

    erased = school.ask("people", "erase", "ada", "--yes")
    assert erased["erased"] and erased["record"]["entries"] > 3
    assert "ada" not in (course.folder / "roster.csv").read_text()
    assert names.home(NAME, "ada") not in docker("volume", "ls", "-q").split()
    for folder in ("/srv/firstbell/state", "/srv/firstbell/coursework"):
        assert left(school, folder, "lovelace", "ada@example.org") == []
    assert left(school, "/srv/firstbell/coursework", "submitted/ada", "feedback/ada", "ps1/ada") == []
    checked = school.ask("activity", "--check")
    assert checked["whole"], checked
    told = school.ask("activity", "--since", "all")["entries"]
    assert "ada" not in {entry["whom"] for entry in told} | {entry["who"] for entry in told}
    assert (told[0]["kind"], told[0]["who"]) == ("erased", "command line")
    rows = list(csv.DictReader(io.StringIO(course.cli("grades", "export").stdout)))
    assert {row["user"] for row in rows} == {"bob"}
    assert names.home(NAME, "bob") in docker("volume", "ls", "-q").split()
    assert school.people("ps1").keys() == {"bob"}
    again = course.cli("people", "erase", "ada", "--yes", check=False)
    assert "nothing is kept of ada" in again.stderr


def read_export(target: Path, school: School) -> None:
    """What is in it, and that it is as its manifest says."""
    assert differing(target) == ()
    with zipfile.ZipFile(target) as opened:
        there = set(opened.namelist())
        work = json.loads(opened.read("coursework.json"))
        handins = work["rows"]["handins"]
        assert handins and {one["user"] for one in handins} == {"ada"}
        assert {f"coursework/handins/ps1/ada/{one['id']}/manifest.json" for one in handins} <= there
        assert any(name.startswith("coursework/feedback/ada/ps1/") for name in there), there
        assert [grade["auto_score"] for grade in work["grades"] if grade["cell"] == "test_square"] == [3.0]
        assert json.loads(opened.read("account.json"))["email"] == "ada@example.org"
        record = json.loads(opened.read("record.json"))
        assert {"login", "start", "export"} <= {line["kind"] for line in record}
        assert {"bob"}.isdisjoint({line["whom"] for line in record})
        with tarfile.open(fileobj=io.BytesIO(opened.read("home.tar"))) as home:
            assert any(name.endswith(f"{FOLDER}/ps1/ps1.ipynb") for name in home.getnames())

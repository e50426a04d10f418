"""From a folder's facts to a Dockerfile and a tag."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from firstbell.errors import CourseFileError
from firstbell.model.container import frozen
from firstbell.model.course import Course
from firstbell.model.image import BuildSettings, BuildSpec
from firstbell.model.runtime import PROJECT_DIR
from firstbell.plan.context import CA_BUNDLE
from firstbell.plan.image import Entry, FolderFacts, Kind, project_build
from firstbell.plan.image.apt import apt_packages
from firstbell.plan.image.facts import included_files

GOLDEN = Path(__file__).parent / "golden"
NOTEBOOK = Entry("start.ipynb", Kind.FILE, "a" * 64, 100)

CASES = {
    "notebooks": {},
    "requirements": {"requirements.txt": "numpy==2.4.6\n"},
    "apt-and-requirements": {"apt.txt": "graphviz\nlibgeos-c1v5\n", "requirements.txt": "shapely\n"},
    "local-package": {"requirements.txt": "numpy\n-e ./tools\n"},
    "own-dockerfile": {
        "Dockerfile": 'FROM example/jupyter:1\nRUN make\nUSER 1000\nCMD ["run"]',
        "requirements.txt": "x\n",
    },
}


def course(**tables: Any) -> Course:
    """A course with a project."""
    server = {"project": Path("/course/project"), **tables.pop("server", {})}
    return Course.model_validate({"name": "stats", "server": server, **tables})


def build(course: Course, facts: FolderFacts, ca_bundle: bytes = b"") -> BuildSpec:
    """The build of a course's folder."""
    settings = BuildSettings(course.name, course.server.base, network=course.network, ca_bundle=ca_bundle)
    return project_build(facts, settings)


def tag(course: Course, facts: FolderFacts) -> str:
    """The tag of a course's folder."""
    return build(course, facts).tag


def facts(texts: dict[str, str] | None = None, *entries: Entry) -> FolderFacts:
    """A folder with a notebook and the given recognised files."""
    return FolderFacts("/course/project", entries or (NOTEBOOK,), frozen(texts))


@pytest.mark.parametrize("case", CASES)
def test_dockerfile_is_as_written_down(case: str) -> None:
    """A folder's facts give exactly the Dockerfile that is kept beside this test."""
    assert build(course(), facts(CASES[case])).dockerfile == (GOLDEN / f"{case}.Dockerfile").read_text()


def test_same_facts_give_the_same_tag() -> None:
    """The tag depends on nothing but content: equal facts in another order and folder give an equal tag."""
    other = Entry("data/x.csv", Kind.FILE, "b" * 64, 5)
    one = FolderFacts("/here", (NOTEBOOK, other), frozen({"apt.txt": "vim\n", "requirements.txt": "numpy\n"}))
    two = FolderFacts("/there", (other, NOTEBOOK), frozen({"requirements.txt": "numpy\n", "apt.txt": "vim\n"}))
    assert tag(course(), one) == tag(course(), two)
    assert tag(course(), one).startswith("firstbell/stats:")


@pytest.mark.parametrize(
    "changed",
    [
        facts(None, Entry("start.ipynb", Kind.FILE, "c" * 64, 100)),
        facts(None, Entry("begin.ipynb", Kind.FILE, "a" * 64, 100)),
        facts(None, Entry("start.ipynb", Kind.EXECUTABLE, "a" * 64, 100)),
        facts(None, NOTEBOOK, Entry("empty", Kind.DIRECTORY)),
        facts({"requirements.txt": "numpy\n"}),
        facts({"apt.txt": "vim\n"}),
    ],
)
def test_every_change_changes_the_tag(changed: FolderFacts) -> None:
    """Content, name, execute bit, an empty folder, and packages each make another image."""
    assert tag(course(), changed) != tag(course(), facts())


def test_an_included_requirements_file_is_part_of_the_tag() -> None:
    """A change in a file that requirements.txt includes makes another image."""
    one, two = ({"requirements.txt": "-r more.txt\n", "more.txt": text} for text in ("numpy\n", "scipy\n"))
    assert tag(course(), facts(one)) != tag(course(), facts(two))


def test_the_base_is_part_of_the_tag() -> None:
    """Another base image makes another image."""
    assert tag(course(server={"base": "ubuntu:24.04"}), facts()) != tag(course(), facts())


def test_the_way_out_of_the_network_is_not_part_of_the_tag() -> None:
    """Mirrors, proxy and authorities change how an image is built, never what it is called."""
    network = {"apt": "http://m/debian", "pypi": "http://m/simple", "proxy": "http://p:1", "npm": "http://m/npm"}
    plain, mirrored = build(course(), facts()), build(course(network=network), facts(), b"PEM")
    assert mirrored.tag == plain.tag
    assert mirrored.dockerfile == plain.dockerfile
    assert not plain.args
    assert dict(mirrored.args) == {
        "APT_MIRROR": "http://m/debian",
        "PIP_INDEX_URL": "http://m/simple",
        **dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://p:1"),
    }
    assert next(file.content for file in mirrored.files if file.path == CA_BUNDLE) == b"PEM"


def test_own_dockerfile_gets_only_the_arguments_it_names() -> None:
    """A Dockerfile of the person's own is given the mirrors it declares, and its context is the folder alone."""
    own = {"Dockerfile": "FROM x\n arg LESSON NPM_CONFIG_REGISTRY=unset\n"}
    network = {"npm": "http://m/npm", "pypi": "http://m/simple"}
    spec = build(course(network=network), facts(own), b"PEM")
    assert dict(spec.args) == {"NPM_CONFIG_REGISTRY": "http://m/npm"}
    assert (spec.files, spec.prefix) == ((), "")


def test_own_dockerfile_keeps_its_last_word() -> None:
    """Only a COPY follows the person's text, so that USER, CMD and environment stay theirs."""
    added = build(course(), facts(CASES["own-dockerfile"])).dockerfile.removeprefix(
        CASES["own-dockerfile"]["Dockerfile"]
    )
    assert [line for line in added.splitlines() if line and not line.startswith("#")] == [f"COPY . {PROJECT_DIR}/"]


@pytest.mark.parametrize("line", ["vim; rm -rf /", "$(id)", "Vim", "-y", "a b|c"])
def test_apt_txt_holds_package_names_only(line: str) -> None:
    """What is no package name in apt.txt is refused with its line, and never reaches a shell."""
    with pytest.raises(CourseFileError) as refused:
        apt_packages(facts({"apt.txt": f"graphviz\n{line}\n"}))
    assert refused.value.where == "/course/project/apt.txt:2"


def test_apt_txt_forgives_comments_and_knows_versions() -> None:
    """Comments, blank lines, several names in a line, architectures and versions are read as apt means them."""
    text = "# fonts\n\nfonts-noto  libc6:i386\ngit=1:2.47.3-0+deb13u1 # why\n"
    assert apt_packages(facts({"apt.txt": text})) == ("fonts-noto", "libc6:i386", "git=1:2.47.3-0+deb13u1")


@pytest.mark.parametrize(
    ("line", "is_local"),
    [
        ("-e .", True), ("./tools", True), ("../x", True), ("wheels/a-1-py3-none-any.whl", True), (".[extra]", True),
        ("tools @ file:///x", True), ("-e git+https://example.org/x", True), ("numpy==2.4.6", False),
        ("pkg @ https://example.org/a.whl", False), ("https://example.org/a/b.tar.gz", False),
        ("zope.interface>=5", False), ("--hash=sha256:00", False), ("# ./x", False), ("-r sub/more.txt", False),
    ],
)  # fmt: skip
def test_paths_in_requirements_are_there_when_packages_are_installed(line: str, is_local: bool) -> None:
    """A requirement that is a path gets the project's files before it; any other keeps them last."""
    text = build(course(), facts({"requirements.txt": f"{line}\n"})).dockerfile
    assert (text.index("COPY project/") < text.index("requirements.txt -r")) is is_local


def test_included_files_are_found() -> None:
    """-r and -c lines of a requirements file name files, in all their spellings."""
    text = "-r a.txt\n --requirement=sub/b.txt\n-c c.txt\n--constraint d.txt\nnumpy # -r e.txt\n"
    assert included_files(text) == ("a.txt", "sub/b.txt", "c.txt", "d.txt")


def test_labels_carry_the_hash() -> None:
    """The image carries the labels it was asked for, the hash of its tag, and that of its steps."""
    settings = BuildSettings("stats", labels=frozen({"firstbell.role": "image"}))
    spec = project_build(facts(), settings)
    assert spec.labels["firstbell.role"] == "image"
    assert spec.labels["firstbell.hash"] == spec.tag.partition(":")[2]


def test_steps_are_the_same_for_other_notebooks() -> None:
    """Images that differ in notebooks alone have equal steps, unless a step works on the folder's files."""
    other = Entry("start.ipynb", Kind.FILE, "c" * 64, 100)

    def steps(texts: dict[str, str], *entries: Entry) -> str:
        return build(course(), facts(texts, *entries)).labels["firstbell.steps"]

    assert steps({}, other) == steps({}) != steps({"requirements.txt": "numpy\n"})
    local = {"requirements.txt": "./tools\n"}
    assert steps(local, other) != steps(local)

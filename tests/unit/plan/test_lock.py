"""Locks: whether they belong to what is beside them, and what stands in them."""

from __future__ import annotations

import pytest

from firstbell.model.container import frozen
from firstbell.model.image import BuildSettings
from firstbell.model.network import Network
from firstbell.plan.image import Entry, FolderFacts, Kind
from firstbell.plan.lock import (
    APT_LOCK,
    ENVIRONMENT_LOCK,
    REQUIREMENTS_LOCK,
    PythonRequirements,
    apt_versions,
    changes,
    environment_lock,
    head,
    inputs_digest,
    lock_inputs,
    lock_state,
    pinned,
    preferences,
    python_requirements,
    without,
)
from firstbell.plan.lock_run import helper, helper_build, lock_text

BASE = "debian:trixie-slim"
BODY = "numpy==2.4.6 \\\n    --hash=sha256:aa\nsix==1.17.0 ; python_full_version < '3.14' \\\n    --hash=sha256:bb\n"


def locked(texts: dict[str, str], lock: str = REQUIREMENTS_LOCK, base: str = BASE, body: str = BODY) -> dict[str, str]:
    """The texts with a fresh lock among them."""
    return {**texts, lock: head(inputs_digest(texts, lock, base)) + body}


def facts(texts: dict[str, str]) -> FolderFacts:
    """A folder with these files and a notebook."""
    return FolderFacts("/here", (Entry("a.ipynb", Kind.FILE, "a" * 64, 1),), frozen(texts))


def test_without_a_lock_the_files_themselves_are_installed_from() -> None:
    """requirements.txt and pyproject.toml, in this order, without a warning; nothing where there is neither."""
    texts = {"pyproject.toml": "", "requirements.txt": "numpy\n", "apt.txt": "git\n"}
    assert python_requirements(texts, BASE) == PythonRequirements(("requirements.txt", "pyproject.toml"))
    assert python_requirements({"apt.txt": "git\n"}, BASE) == PythonRequirements()


def test_a_fresh_lock_takes_their_place() -> None:
    """A lock of these very files is what is installed from."""
    texts = locked({"requirements.txt": "numpy\n"})
    assert python_requirements(texts, BASE) == PythonRequirements((REQUIREMENTS_LOCK,), is_locked=True)


@pytest.mark.parametrize(
    "change",
    [
        {"requirements.txt": "numpy\nscipy\n-r more.txt\n"},
        {"more.txt": "pandas<3\n"},
        {"pyproject.toml": "[project]"},
        {"setup.py": ""},
        {"runtime.txt": "python-3.12"},
    ],
)
def test_a_lock_of_other_files_is_stale(change: dict[str, str]) -> None:
    """A change of any input, included files and the Python among them, is told, and the lock is not used."""
    before = locked({"requirements.txt": "numpy\n-r more.txt\n", "more.txt": "pandas\n"})
    asked = python_requirements({**before, **change}, BASE)
    assert not asked.is_locked and REQUIREMENTS_LOCK not in asked.files
    assert "requirements.txt" in asked.warning and "firstbell lock" in asked.warning


def test_another_base_makes_a_lock_stale_but_for_conda() -> None:
    """Python and the distribution come from the base; a conda environment brings its own."""
    texts = locked({"requirements.txt": "numpy\n"})
    assert lock_state(texts, REQUIREMENTS_LOCK, "debian:bookworm-slim") == "stale"
    texts = locked({"environment.yml": "dependencies: [numpy]"}, ENVIRONMENT_LOCK)
    assert lock_state(texts, ENVIRONMENT_LOCK, "debian:bookworm-slim") == "fresh"


def test_what_has_nothing_to_do_with_packages_changes_nothing() -> None:
    """Other files of the folder, and other files that the lock is not of, leave it fresh."""
    texts = locked({"requirements.txt": "numpy\n"})
    assert (
        lock_state({**texts, "apt.txt": "git\n", "start": "", "environment.yml": ""}, REQUIREMENTS_LOCK, BASE)
        == "fresh"
    )


@pytest.mark.parametrize("first", ["", "numpy==2\n", "# firstbell lock 2 sha256:" + "0" * 64 + "\n"])
def test_a_file_that_is_no_lock_of_ours_is_stale(first: str) -> None:
    """A foreign requirements.lock, or one of a later format, is never installed from."""
    texts = {"requirements.txt": "numpy\n", REQUIREMENTS_LOCK: first + BODY}
    assert lock_state(texts, REQUIREMENTS_LOCK, BASE) == "stale"


def test_an_environments_lock_is_given_whole_or_not_at_all() -> None:
    """Fresh, its text; stale, a warning; missing, neither."""
    texts = locked({"environment.yml": "dependencies: [numpy]"}, ENVIRONMENT_LOCK)
    assert environment_lock(texts, BASE) == (texts[ENVIRONMENT_LOCK], "")
    text, warning = environment_lock({**texts, "environment.yml": "dependencies: [scipy]"}, BASE)
    assert text == "" and "environment.yml" in warning
    assert environment_lock({"environment.yml": ""}, BASE) == ("", "")


def test_inputs_are_what_a_lock_is_made_from() -> None:
    """Included files count, also of folders and of one another in a circle; others do not."""
    texts = {
        "requirements.txt": "-r a/b.txt\n",
        "a/b.txt": "-c ../c.txt\n-r ../requirements.txt\n",
        "c.txt": "",
        "d.txt": "",
    }
    assert lock_inputs(texts, REQUIREMENTS_LOCK) == ("requirements.txt", "a/b.txt", "c.txt")
    assert lock_inputs(texts, APT_LOCK) == ()


def test_versions_are_read_and_merged() -> None:
    """Of two locks the later one's versions are preferred; names are compared as PEP 503 says."""
    assert pinned(BODY) == {"numpy": "2.4.6", "six": "1.17.0"}
    assert preferences(BODY, "Six==1.15.0\nA.b_c[x]==1\n") == "a-b-c==1\nnumpy==2.4.6\nsix==1.15.0\n"


def test_what_conda_has_in_the_same_version_is_left_out() -> None:
    """A package of another version, and its hashes, stay."""
    assert without(BODY, {"numpy": "2.4.6", "six": "1.0"}) == BODY[BODY.index("six") :]


def test_changes_are_told_by_package() -> None:
    """What came, went and moved, by name; nothing of the rest."""
    told = changes({"a": "1", "b": "1", "c": "1"}, {"b": "2", "c": "1", "d": "1"})
    assert [str(change) for change in told] == ["- a 1", "b 1 → 2", "+ d 1"]


def test_locks_are_made_in_the_folders_image_without_its_packages() -> None:
    """The image has apt's packages and the folder's files, and no Python package that the folder asks for."""
    folder = facts({"apt.txt": "tree\n", "requirements.txt": "numpy\n", "postBuild": "false\n"})
    build = helper_build(folder, BuildSettings("stats"))
    assert build.tag.startswith("firstbell/stats-lock:")
    assert "apt-install tree" in build.dockerfile
    assert "requirements.txt" not in build.dockerfile and "postBuild" not in build.dockerfile


def test_passwords_of_mirrors_are_in_no_environment() -> None:
    """A mirror's address, which may hold one, reaches the container as a file that only root reads."""
    network = Network(pypi="https://me:secret@mirror.example.org/simple", conda="https://mirror.example.org/conda")
    spec = helper(
        facts({"requirements.txt": "numpy\n"}),
        BuildSettings("stats", network=network),
        "image",
        REQUIREMENTS_LOCK,
        upgrade=False,
    )
    assert "secret" not in repr(spec.env) + repr(spec.command)
    (way_out,) = [file for file in spec.files if b"secret" in (file.content or b"")]
    assert way_out.mode == 0o400


def test_the_present_versions_are_preferred_unless_upgraded() -> None:
    """The helper is given the present lock's versions after those of the image; with upgrade, only the image's."""
    texts = locked({"requirements.txt": "numpy\n"}, body="anyio==1.0\nnumpy==1.0\n")

    def preferred(upgrade: bool) -> dict[str, str]:
        spec = helper(facts(texts), BuildSettings("stats"), "image", REQUIREMENTS_LOCK, upgrade=upgrade)
        return pinned(next(f.content or b"" for f in spec.files if f.path.endswith("/preferred")).decode())

    assert preferred(False)["numpy"] == preferred(False)["anyio"] == "1.0"
    assert "numpy" not in preferred(True) and preferred(True)["anyio"] != "1.0"


def test_a_lock_repeats_where_the_person_says_packages_come_from() -> None:
    """Options of requirements.txt, included files too, are in the lock, which takes its place; so is the base."""
    folder = facts(
        {"requirements.txt": "--extra-index-url https://wheels.example.org\n-r b.txt\n", "b.txt": "-f ./wheels\n"}
    )
    text = lock_text(folder, BuildSettings("stats"), REQUIREMENTS_LOCK, BODY, "sha256:ff")
    assert text.endswith("--extra-index-url https://wheels.example.org\n-f ./wheels\n" + BODY)
    assert f"# base {BASE}@sha256:ff\n" in text
    assert lock_state({**folder.texts, REQUIREMENTS_LOCK: text}, REQUIREMENTS_LOCK, BASE) == "fresh"


def test_apts_lock_names_what_was_asked_for() -> None:
    """Of all the distribution's packages those of apt.txt are recorded, without architecture and pinned version."""
    text = lock_text(facts({"apt.txt": "tree git=1:2\nvim:amd64\n"}), BuildSettings("x"), APT_LOCK,
                     "vim=9.1\nbash=5\ngit=1:2\ntree=2.2.1-1\n", "")  # fmt: skip
    assert apt_versions(text) == {"git": "1:2", "tree": "2.2.1-1", "vim": "9.1"}


def test_an_environments_lock_has_no_package_twice() -> None:
    """What pip would add to conda's packages is in it, what conda has is not."""
    printed = f"conda-forge/noarch/six-1.17.0-pyh_0.conda sha256:{'a' * 64}\n# pip\n{BODY}"
    text = lock_text(
        facts({"environment.yml": "dependencies: [six]"}), BuildSettings("x"), ENVIRONMENT_LOCK, printed, ""
    )
    assert "six-1.17.0" in text and "numpy==2.4.6" in text and "six==" not in text

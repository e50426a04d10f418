"""Page files at the edge, from the server's side: a page is led there only for files that are the same there."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from firstbell.singleuser import static_files
from firstbell.singleuser.static_files import Unsuitable, point, stamp, stamp_all

URL = "/_static/abc"
PREFIX = "/user/ada/"


@pytest.fixture
def image(tmp_path: Path) -> Path:
    """What an image has: Lab's files, one extension, one theme."""
    for name, content in {
        "lab/static/index.html": "main.1234567890abcdef.js",
        "lab/static/main.1234567890abcdef.js": "main()",
        "lab/static/fonts/0031b1860ea4ad75.woff": "font",
        "lab/themes/light/index.css": "a { color: #fff }",
        "extensions/pygments/package.json": '{"version": "1.0.1"}',
        "extensions/pygments/static/remoteEntry.5cbb9d2323598fbda535.js": "remote()",
    }.items():
        file = tmp_path / "image" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    (tmp_path / "home").mkdir()
    return tmp_path / "image"


def offered(image: Path) -> dict[str, Any]:
    lab, themes = image / "lab/static", image / "lab/themes"
    return {
        "url": URL,
        "parts": {
            "lab": {"dir": str(lab), "stamp": stamp(str(lab))},
            "extensions": {"stamp": stamp_all([str(image / "extensions")])},
            "themes": {"dir": str(themes), "stamp": stamp(str(themes))},
        },
    }


def page(image: Path) -> dict[str, Any]:
    return {
        "staticDir": str(image / "lab/static"),
        "themesDir": str(image / "lab/themes"),
        "extraLabextensionsPath": [],
        "labextensionsPath": [str(image.parent / "home"), str(image / "extensions"), str(image / "none")],
        "fullStaticUrl": "/user/ada/static/lab",
        "fullLabextensionsUrl": "/user/ada/lab/extensions",
        "fullThemesUrl": "/user/ada/lab/api/themes",
        "themesUrl": "/lab/api/themes",
    }


def test_a_page_of_the_image_is_led_to_the_edge(image: Path) -> None:
    """All of its files have one URL for everybody; the theme's, which Lab appends to the server's, comes out as one."""
    config = page(image)
    point(config, offered(image), PREFIX)
    assert config["fullStaticUrl"] == f"{URL}/lab"
    assert config["fullLabextensionsUrl"] == f"{URL}/extensions"
    assert config["fullThemesUrl"] == f"{URL}/themes"
    assert os.path.normpath(PREFIX + config["themesUrl"]) == f"{URL}/themes"


def newer_lab(image: Path) -> None:
    (image / "lab/static/main.1234567890abcdef.js").rename(image / "lab/static/main.fedcba0987654321.js")


def patched_page(image: Path) -> None:
    file = image / "lab/static/index.html"
    times = file.stat()
    file.write_text("main.1234567890abcdee.js")
    os.utime(file, ns=(times.st_atime_ns, times.st_mtime_ns))


def one_file_more(image: Path) -> None:
    (image / "lab/static/fonts/1031b1860ea4ad75.woff").write_text("font")


@pytest.mark.parametrize("change", [newer_lab, patched_page, one_file_more])
def test_other_files_of_lab_come_from_the_own_server(image: Path, change: Callable[[Path], None]) -> None:
    """Another build, a patch of the same size and time, a file more: Lab's files come from the server itself."""
    offer = offered(image)
    change(image)
    config = page(image)
    point(config, offer, PREFIX)
    assert config["fullStaticUrl"] == "/user/ada/static/lab"
    assert config["fullLabextensionsUrl"] == f"{URL}/extensions"


def own_extension(image: Path) -> None:
    file = image.parent / "home/mine/package.json"
    file.parent.mkdir()
    file.write_text("{}")


def newer_extension(image: Path) -> None:
    (image / "extensions/pygments/package.json").write_text('{"version": "1.0.2"}')


@pytest.mark.parametrize("change", [own_extension, newer_extension])
def test_an_extension_of_ones_own_comes_with_all_extensions_from_the_own_server(
    image: Path, change: Callable[[Path], None]
) -> None:
    """What somebody has installed is found, and Lab itself still comes from the edge."""
    offer = offered(image)
    change(image)
    config = page(image)
    point(config, offer, PREFIX)
    assert config["fullStaticUrl"] == f"{URL}/lab"
    assert config["fullLabextensionsUrl"] == "/user/ada/lab/extensions"
    assert config["themesUrl"] == "/lab/api/themes"


def test_a_lab_built_in_the_home_is_its_own(image: Path) -> None:
    """Files of another folder are other files, whatever they hold."""
    config = page(image) | {"staticDir": str(image.parent / "home")}
    point(config, offered(image), PREFIX)
    assert config["fullStaticUrl"] == "/user/ada/static/lab"


@pytest.mark.parametrize("offer", [{}, {"url": URL}, {"url": 1, "parts": {}}, {"url": URL, "parts": {"lab": 3}}])
def test_an_odd_offer_changes_nothing(image: Path, offer: dict[str, Any]) -> None:
    """A hub that has nothing to offer, or speaks of something else, leaves the page as it is."""
    config = page(image)
    point(config, offer, PREFIX)
    assert config == page(image)


def test_links_out_of_the_folder_are_not_followed(image: Path) -> None:
    """A folder with a link to somewhere else has no stamp, and is not laid out."""
    (image / "lab/static/secret").symlink_to("/etc/passwd")
    with pytest.raises(Unsuitable, match="leads out"):
        stamp(str(image / "lab/static"))


def test_a_folder_that_is_no_labs_is_not_walked_for_ever(image: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is a bound on files."""
    monkeypatch.setattr(static_files, "MOST_FILES", 2)
    with pytest.raises(Unsuitable, match="more than 2"):
        stamp(str(image / "lab/static"))

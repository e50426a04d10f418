"""Jupyter's server in the formgrader's container: what of it is there. Loaded as an extension of that server.

Beside the formgrader's own pages there is nothing: no files, kernels, terminals. Of what the formgrader can change
there are points, comments and flags. Its other buttons would run submissions here, or hand out and give back behind the
hub's back.
"""

from __future__ import annotations

import re
from typing import Any

from tornado import web

_PAGES = re.compile(r"(formgrader(/.*)?|static/.*|login|logout|oauth_callback|favicon\.ico)?")
_WRITTEN = {
    "PUT": re.compile(r"formgrader/api/(grade|comment)/[^/]+"),
    "POST": re.compile(r"formgrader/api/submitted_notebook/[^/]+/flag"),
}
_ELSEWHERE = "That is done on the hub's coursework pages, or with `firstbell grade` and `firstbell return`."
_SUBMITTED = "sandbox; default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'"
"""What students handed in beside their notebooks is shown, and can do nothing: no script, no page of this site."""

_SCRIPT = """<script>
addEventListener("click", event => {
  const link = event.target.closest("a");
  const to = link && (link.getAttribute("href") || link.getAttribute("xlink:href"));
  if (to && URL.canParse(to, location) && new URL(to, location).protocol === "javascript:") event.preventDefault();
}, true);
window.MathJax = window.MathJax || {Hub: {
  Config() {}, Configured() {}, Queue() {}, Startup: {signal: {Interest: told => setTimeout(told, 0, "End")}}
}};
</script>
</head>"""
"""A formula may have links (TeX's `\\href`): none that is a program. And MathJax comes from elsewhere: where the
browser cannot get it, the page's keys would not work either."""


def is_there(method: str, path: str, query: str = "") -> bool:
    """Whether a request is served; `path` as it was sent, without the server's prefix."""
    if method in {"GET", "HEAD"}:
        # `?path=` would load another configuration, which is a program.
        return bool(_PAGES.fullmatch(path)) and not (path.rstrip("/") == "formgrader" and query)
    pattern = _WRITTEN.get(method)
    return bool(pattern and pattern.fullmatch(path))


class Elsewhere(web.RequestHandler):
    """Says no, whoever asks."""

    def prepare(self) -> None:
        """For every method."""
        self.set_status(403)
        self.set_header("Content-Type", "text/plain; charset=utf-8")
        self.finish(_ELSEWHERE)

    def check_xsrf_cookie(self) -> None:
        """Nothing is done that could be forged."""


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(app: Any) -> None:
    from nbconvert.exporters import HTMLExporter
    from nbgrader.server_extensions.formgrader.handlers import SubmissionFilesHandler

    def set_extra_headers(handler: web.RequestHandler, path: str) -> None:
        del path
        handler.set_header("Content-Security-Policy", _SUBMITTED)
        handler.set_header("X-Content-Type-Options", "nosniff")

    def from_filename(exporter: Any, *words: Any, **options: Any) -> tuple[str, Any]:
        page, resources = convert(exporter, *words, **options)
        return page.replace("</head>", _SCRIPT, 1), resources

    from .shown import make_harmless

    make_harmless()
    pages: Any = HTMLExporter
    convert, pages.from_filename = pages.from_filename, from_filename
    SubmissionFilesHandler.set_extra_headers = set_extra_headers
    application, prefix = app.web_app, app.web_app.settings["base_url"]
    find = application.find_handler

    def find_handler(request: Any, **options: Any) -> Any:
        inside = request.path.startswith(prefix)
        if inside and not is_there(request.method, request.path[len(prefix) :], request.query):
            return application.get_handler_delegate(request, Elsewhere)
        return find(request, **options)

    application.find_handler = find_handler

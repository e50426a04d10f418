"""The Jupyter server itself: jupyter_server's ServerApp on a socket that is open already, and quick to start.

What servers of a hub's users and servers without a hub have in common; ``server`` and ``alone`` are the two.
"""

from __future__ import annotations

import asyncio
import importlib.util
import os
import re
import socket
import sys
import time
from typing import Any, cast
from urllib.parse import unquote

from jupyter_client.kernelspec import KernelSpecManager
from jupyter_server import serverapp
from jupyter_server.serverapp import ServerApp
from tornado import httpserver

from . import events, home_walk, lean, prompt, rescue
from .packages import Packages
from .settings import Told
from .warm import PAGE_SECONDS, Warm

_NEWS = "@jupyterlab/apputils-extension:announcements"
"""Asks everybody at their first visit whether they want JupyterLab's news."""
_LANGUAGE_SERVERS = (
    "@jupyterlab/lsp-extension",
    "@jupyterlab/fileeditor-extension:language-server",
    "@jupyterlab/notebook-extension:language-server",
)
"""The parts of JupyterLab's page that speak with `jupyter_lsp`."""


class QuickServerApp(ServerApp):  # type: ignore[misc,unused-ignore]
    """A server that is made ready by one of its two subclasses, and told by ``tell`` what it is."""

    settings: Told
    packages: Packages
    listener: socket.socket
    began: float
    page_shown = False

    @classmethod
    def tell(cls, settings: Told, packages: Packages, listener: socket.socket, began: float) -> None:
        """Before the app is made. ``began`` is the monotonic time at which the process started."""
        cls.settings, cls.packages, cls.listener, cls.began = settings, packages, listener, began

    # -- what the subclasses say

    def lock(self) -> None:
        """Puts those values into the configuration that no configuration file may change."""
        raise NotImplementedError

    def check(self) -> None:
        """The last look before the door opens. Raises ``Stop`` where some configuration got past the lock."""
        raise NotImplementedError

    def default_page(self) -> str:
        """Path of the page that the settings put in the place of the interface's own, or an empty string."""
        raise NotImplementedError

    def has_room(self) -> bool:
        """Whether the home has room for what is deleted, too."""
        try:
            return rescue.VARIABLE not in os.environ and not home_walk.disk_of(os.path.expanduser("~")).is_full
        except OSError:
            return True

    def serving(self, seconds: float) -> None:
        """Called when the server answers, ``seconds`` after its process was started."""

    # -- jupyter_server's own steps, in their order

    def load_config_file(self, *args: Any, **kwargs: Any) -> None:
        super().load_config_file(*args, **kwargs)
        self.lock()

    def find_server_extensions(self) -> None:
        super().find_server_extensions()
        wanted = ("jupyterlab", "notebook") if self.settings.interface == "notebook" else ("jupyterlab",)
        for name in wanted:
            if importlib.util.find_spec(name) and (name != "notebook" or importlib.util.find_spec("notebook.app")):
                self.jpserver_extensions.setdefault(name, True)
        self.jpserver_extensions = lean.extensions(self.jpserver_extensions)

    def init_configurables(self) -> None:
        self.lock()  # extensions have had their say meanwhile
        self.no_browser_open_file = True
        own = self.config.ServerApp.get("kernel_spec_manager_class") or os.environ.get("JUPYTER_GATEWAY_URL")
        if not own and self.packages.python != sys.executable:
            self.kernel_spec_manager_class = _kernel_specs(self.packages.python)
        super().init_configurables()
        rescue.delete_for_good(self.contents_manager, self.has_room)

    def init_event_logger(self) -> None:
        with events.later_in(serverapp):
            super().init_event_logger()
        # Extensions, on the other hand, are to see at once whether their schemas are accepted.
        cast("Any", self.event_logger).settled = True

    def init_webapp(self) -> None:
        self.default_url = self._front_page()
        super().init_webapp()
        self.web_app.settings["page_config_hook"] = self.page_config

    def init_httpserver(self) -> None:
        """On the socket that was bound before Jupyter was loaded: who connected meanwhile is served now."""
        self.check()
        options = {"max_body_size": self.max_body_size, "max_buffer_size": self.max_buffer_size}
        xheaders = bool(self.trust_xheaders)
        self._http_server = httpserver.HTTPServer(self.web_app, xheaders=xheaders, **options)
        self.warm = Warm(self)
        self.io_loop.add_callback(self._serve)

    async def _serve(self) -> None:
        self.http_server.add_socket(self.listener)
        seconds = round(time.monotonic() - self.began, 3)
        lean.end()
        self.log.info("firstbell: serving %s after %.2f s", self.base_url, seconds)
        self.serving(seconds)
        prompt.install()
        self.warm.serving()

    # -- pages

    def page_config(self, handler: Any, config: dict[str, Any]) -> dict[str, Any]:
        """What JupyterLab and Notebook read from their page."""
        self.warm.page_shown()
        self._expect_a_notebook()
        if config.get("delete_to_trash") and not self.has_room():
            config["delete_to_trash"] = False  # so that Lab asks whether it may delete, not whether it may move
        off = {*config.get("disabledExtensions", ()), _NEWS}
        if "jupyter_lsp" not in self.extension_manager.extensions:
            # Its half in the page would only ask in vain for the half that `lean` leaves out.
            off.update(_LANGUAGE_SERVERS)
        config["disabledExtensions"] = sorted(off)
        return config

    def _expect_a_notebook(self) -> None:
        """Where kernels wait, notebooks will be opened; elsewhere the memory is dearer."""
        if not self.page_shown and self.settings.warm_kernels in ("page", "start"):
            loop = asyncio.get_running_loop()
            # Beside the event loop, which has the page's next questions to answer.
            loop.call_later(PAGE_SECONDS, loop.run_in_executor, None, lean.before_a_notebook)
        self.page_shown = True

    def _front_page(self) -> str:
        """Path of the page behind the server's plain address, without the prefix."""
        settings = self.settings
        if settings.open and _there(settings.open, self.root_dir):
            return "/" + settings.open.lstrip("/")
        page = self.default_page()
        if page:
            return page
        points = self.extension_manager.extension_points
        notebook = settings.interface == "notebook"
        for name in ("notebook", "lab", "nbclassic") if notebook else ("lab", "notebook", "nbclassic"):
            url = getattr(getattr(points.get(name), "app", None), "default_url", "")
            if url and url != "/":
                return str(url)
        return "/"


def _there(page: str, root: str) -> bool:
    """Is the file of a page such as ``lab/tree/a.ipynb`` there? Its owner may have removed it: then no error page."""
    match = re.match(r"/?(?:(?:lab|doc)(?:/workspaces/[^/]+)?/tree|notebooks|tree|edit)/([^?#]+)", page)
    return match is None or os.path.exists(os.path.join(root, unquote(match.group(1))))


def _kernel_specs(python: str) -> type:
    """Kernel specifications of which those of the image's own Python use ``python``, which sees the home's packages."""

    class KernelSpecs(KernelSpecManager):  # type: ignore[misc,unused-ignore]
        def get_kernel_spec(self, kernel_name: str) -> Any:
            spec = super().get_kernel_spec(kernel_name)
            if spec.argv and (spec.argv[0] == sys.executable or re.match(r"python(3(\.\d+)?)?$", spec.argv[0])):
                spec.argv = [python, *spec.argv[1:]]
            return spec

    return KernelSpecs

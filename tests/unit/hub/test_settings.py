"""The course as JupyterHub's settings, on a bare traitlets Config."""

from __future__ import annotations

from pathlib import Path

import pytest
from jupyterhub.app import JupyterHub
from jupyterhub.proxy import ConfigurableHTTPProxy, Proxy
from jupyterhub.spawner import Spawner

from firstbell.hub.settings import Kept, settings
from firstbell.model.course import Course
from firstbell.model.runtime import Runtime

RUNTIME = Runtime(course="demo", image="demo:1", network="n", gateway="172.18.0.1")
KEPT = Kept(Path("/srv/state"), b"c" * 32, "proxy-token")


def of(url: str = "http://127.0.0.1:8000", **server: object):
    return settings(Course(name="demo", url=url, server={"image": "demo:1", **server}), RUNTIME, KEPT)


def test_no_server_and_no_proxy_ends_with_the_hub():
    """A hub that stops leaves everything running, and did not start the proxy."""
    config = of()
    assert config.JupyterHub.cleanup_servers is False
    assert config.JupyterHub.cleanup_proxy is False
    assert config.JupyterHub.shutdown_on_logout is False
    assert config.ConfigurableHTTPProxy.should_start is False


def test_parts_find_each_other_by_the_gateway():
    """Hub on the bridge's gateway, proxy and its API on the loopback address that mirrors it."""
    config = of("https://class.example.org/python/")
    assert config.JupyterHub.hub_bind_url == config.JupyterHub.hub_connect_url == "http://172.18.0.1:18081"
    assert config.ConfigurableHTTPProxy.api_url == "http://127.18.0.1:18001"
    assert config.JupyterHub.bind_url == "http://127.18.0.1:18000/python/"
    assert config.Proxy.extra_routes == {"/python/hub/": "http://172.18.0.1:18081"}


def test_nobody_is_turned_away_by_number():
    """JupyterHub's own limits, which answer 429, are off; the queue and the room do it."""
    config = of()
    assert config.JupyterHub.concurrent_spawn_limit == 0
    assert config.JupyterHub.active_server_limit == 0
    assert config.Spawner.consecutive_failure_limit == 0
    assert config.JupyterHub.tornado_settings["slow_spawn_timeout"] == 0


def test_the_service_can_only_start_and_stop_servers():
    """Its token lists users, reads activity, starts and stops servers, no more."""
    config = of()
    [service] = config.JupyterHub.services
    [role] = config.JupyterHub.load_roles
    assert service["command"][-1] == "firstbell.hub.bells.keeper"
    assert role["scopes"] == [
        "list:users",
        "read:users:activity",
        "read:servers",
        "start:servers",
        "delete:servers",
    ]
    assert role["services"] == [service["name"]]


def test_servers_inherit_nothing_of_the_hubs_environment():
    """No variable of the hub's container reaches a server."""
    assert of().Spawner.env_keep == []


def test_secrets_do_not_print():
    """The value that carries them shows neither."""
    assert "proxy-token" not in repr(KEPT)
    assert "cccc" not in repr(KEPT)


@pytest.mark.parametrize("kind", [JupyterHub, Spawner, Proxy, ConfigurableHTTPProxy])
def test_every_setting_is_one_of_jupyterhubs(kind):
    """A setting that JupyterHub does not know would be ignored without a word."""
    names = set(of()[kind.__name__])
    assert names <= set(kind.class_trait_names(config=True)), names - set(kind.class_trait_names(config=True))


def test_a_desk_only_where_there_is_coursework():
    """A course with assignments has two services more, which may ask nothing of the hub; others pay nothing for it."""
    course = Course.model_validate({"name": "demo", "server": {"image": "demo:1"}, "coursework": {}})
    config = settings(course, RUNTIME, KEPT)
    assert [service["name"] for service in config.JupyterHub.services] == ["keeper", "desk", "formgrader"]
    assert [service for role in config.JupyterHub.load_roles for service in role["services"]] == ["keeper"]
    assert [service["name"] for service in of().JupyterHub.services] == ["keeper"]

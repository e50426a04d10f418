"""Containers of a Docker Engine that are kept, stopped, while others have their names."""

from __future__ import annotations

from firstbell.engine.docker_api import Answer, Api, understood
from firstbell.engine.docker_containers import remove, state
from firstbell.errors import StartFailed
from firstbell.model.container import Restart
from firstbell.model.observed import Phase

_AS_IT_IS = 304
"""The daemon's word for a container that is stopped, or runs, already."""


async def set_aside(api: Api, name: str, aside: str, grace: int) -> None:
    """See Engine.set_aside."""
    found = await state(api, name)
    if found.phase is Phase.MISSING:
        return
    await remove(api, aside)
    with understood(name):
        await _restarts(api, found.id, Restart.NO)
        await _change(api, f"containers/{found.id}/stop", {"t": grace}, grace + api.change_deadline)
        await api.json("POST", f"containers/{found.id}/rename", params={"name": aside})


async def bring_back(api: Api, aside: str, name: str) -> None:
    """See Engine.bring_back."""
    kept = await state(api, aside)
    with understood(name):
        if aside != name and kept.phase is not Phase.MISSING:
            await remove(api, name)
            await api.json("POST", f"containers/{kept.id}/rename", params={"name": name})
        try:
            await _restarts(api, name, Restart.ALWAYS)
            await _change(api, f"containers/{name}/start", {}, api.change_deadline)
        except Answer as answer:
            raise StartFailed(
                f"{name} cannot be started again",
                where=name,
                next_step="See what there is: firstbell status",
                evidence=(answer.message,),
            ) from answer


async def _restarts(api: Api, name: str, policy: Restart) -> None:
    await api.json("POST", f"containers/{name}/update", body={"RestartPolicy": {"Name": policy.value}})


async def _change(api: Api, path: str, params: dict[str, object], deadline: float) -> None:
    try:
        await api.json("POST", path, params=params, deadline=deadline)
    except Answer as answer:
        if answer.status != _AS_IT_IS:
            raise

"""Which nodes have the course's image."""

from __future__ import annotations

from firstbell.engine.fake_cluster import FakeCluster
from firstbell.hub.nodes.images import NodeImages
from firstbell.hub.nodes.watch import NodesWatch
from firstbell.model.observed import ImageState

IMAGE = "demo:1"


async def looking(engine: FakeCluster) -> tuple[NodesWatch, NodeImages]:
    nodes = NodesWatch(engine)
    images = NodeImages(engine, IMAGE, nodes)
    await nodes.look()
    await images.look()
    return nodes, images


async def give(engine: FakeCluster, name: str) -> None:
    (await engine.on(name)).images[IMAGE] = ImageState(IMAGE, "sha256:1")


async def cluster(*with_image: str) -> FakeCluster:
    engine = FakeCluster("n1")
    for name in ("n2", "n3"):
        engine.add_node(name)
    for name in with_image:
        await give(engine, name)
    return engine


async def test_a_node_counts_from_the_look_after_the_image_has_come() -> None:
    """What was pulled while a node was being prepared is noticed; who has it is not asked again."""
    engine = await cluster("n1", "n2")
    _, images = await looking(engine)
    assert images.have == frozenset({"n1", "n2"})
    await give(engine, "n3")
    engine.calls.clear()
    await images.look()
    assert images.have == frozenset({"n1", "n2", "n3"})
    assert [call for call in engine.calls if call[0] == "on"] == [("on", "n3")]


async def test_a_node_that_is_prepared_later_is_asked() -> None:
    """One that was no node of ours at the first look takes servers after the next."""
    engine = await cluster("n1", "n2", "n3")
    engine.change_node("n3", linked=False)
    nodes, images = await looking(engine)
    assert images.have == frozenset({"n1", "n2"})
    engine.change_node("n3", linked=True)
    await nodes.look()
    await images.look()
    assert images.have == frozenset({"n1", "n2", "n3"})


async def test_before_a_node_could_be_asked_nobody_is_kept_away() -> None:
    """A hub that knows nothing yet starts servers: a node without the image says so itself."""
    engine = FakeCluster("n1")
    engine.change_node("n1", linked=False)
    _, images = await looking(engine)
    assert images.have is None

"""The servers' addresses and packet filter."""

from __future__ import annotations

from ipaddress import ip_network

import pytest

from firstbell.errors import StartFailed
from firstbell.model import names
from firstbell.plan.network import WayOut, choose_subnet, gateway_of, ruleset


def test_same_course_same_subnet():
    """A course gets the same subnet every time on the same machine."""
    assert choose_subnet("statistics", []) == choose_subnet("statistics", [])


def test_subnet_avoids_what_exists():
    """A subnet never overlaps with a network that exists, whatever its size."""
    used = ["172.16.0.0/13", "172.28.0.0/14", "10.0.0.0/8", "fd00::/64"]
    chosen = ip_network(choose_subnet("statistics", used))
    assert not any(chosen.overlaps(ip_network(u)) for u in used if ":" not in u)


def test_forty_courses_fit():
    """Forty courses on one machine get forty distinct subnets (fault 20)."""
    used: list[str] = []
    for number in range(40):
        used.append(choose_subnet(f"course-{number}", used))
    assert len(set(used)) == 40


def test_no_room_is_said():
    """When nothing is free the error says what to set."""
    with pytest.raises(StartFailed, match="no free /20") as caught:
        choose_subnet("statistics", ["172.16.0.0/12"])
    assert "subnet" in caught.value.next_step


def test_gateway_is_first_address():
    """The hub listens where Docker puts the bridge: on the subnet's first address."""
    assert gateway_of("172.18.16.0/20") == "172.18.16.1"


def test_only_the_hubs_port_of_the_gateway_is_open():
    """Of this machine, servers reach the hub's port of the gateway and nothing else."""
    lines = ruleset("c", "172.18.0.1", "internet", WayOut()).splitlines()
    inbound = lines[lines.index("  chain to_this_machine {") + 1 : lines.index("  chain beyond {") - 1]
    accepted = [line.strip() for line in inbound if "accept" in line][1:]
    assert accepted[1:] == ["ct state established,related accept", "ip daddr 172.18.0.1 tcp dport 18081 accept"]
    assert inbound[-1].strip() == "drop"


def test_neighbours_of_this_machine_come_in_nowhere():
    """From no other interface anybody reaches the hub's port of the gateway, or opens a connection to a server."""
    here, _, beyond = ruleset("c", "172.18.0.1", "internet", WayOut()).partition("chain beyond {")
    bridge = names.bridge("c")
    assert 'iifname != "lo" iifname != "fb-*" ip daddr 172.18.0.1 tcp dport 18081 drop' in here
    others = [line.strip() for line in beyond.splitlines() if "ifname" in line]
    assert others == [
        f'iifname != "{bridge}" oifname != "{bridge}" accept',
        f'iifname != "{bridge}" ct state established,related accept',
        f'oifname "{bridge}" drop',
    ]


def test_an_applications_own_port_is_closed_to_this_machine():
    """With a port given nothing else of a server is reached from here; without one the rules say nothing of that."""
    assert "hook output" not in ruleset("c", "172.18.0.1", "internet", WayOut())
    rules = ruleset("c", "172.18.0.1", "internet", WayOut(), only_port=8888)
    outbound = rules.split("chain from_this_machine {")[1].split("}")[0].splitlines()
    assert outbound[-3:-1] == ["    tcp dport 8888 accept", "    drop"]


@pytest.mark.parametrize("egress", ["internet", "all", "none"])
def test_metadata_address_is_never_open(egress):
    """No setting opens the clouds' metadata address."""
    rules = ruleset("c", "172.18.0.1", egress, WayOut())
    assert "169.254.0.0/16" in rules or rules.split("chain beyond")[1].count("    drop") == 1


def test_resolver_inside_a_private_range_stays_reachable():
    """A resolver with a private address answers on port 53, ahead of the rule that closes the range."""
    rules = ruleset("c", "172.18.0.1", "internet", WayOut(resolvers=("10.0.0.53", "fd00::53")))
    assert rules.index("ip daddr 10.0.0.53") < rules.index("10.0.0.0/8")
    assert "ip6 daddr fd00::53 meta l4proto { tcp, udp } th dport 53 accept" in rules


def test_rules_replace_themselves():
    """The script creates and deletes the table first, so that applying it twice is applying it once."""
    lines = ruleset("c", "172.18.0.1", "internet", WayOut()).splitlines()
    assert lines[0].startswith("add table") and lines[1].startswith("delete table")

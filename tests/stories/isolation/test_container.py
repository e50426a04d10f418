"""What a user can do to the machine from inside the container (attacks 41, 43, 47)."""

from __future__ import annotations

import subprocess

from tests.support.course import docker

SYSCALLS = """
import ctypes, errno, os
libc = ctypes.CDLL(None, use_errno=True)
def call(*arguments):
    ctypes.set_errno(0)
    return (libc.syscall(*arguments), errno.errorcode.get(ctypes.get_errno(), "-"))
CLONE_NEWUSER = 0x10000000
print({
    "mount": call(165, b"none", b"/tmp", b"tmpfs", 0, 0),
    "unshare": call(272, CLONE_NEWUSER),
    "keyctl": call(250, 0, -3, 1),
    "add_key": call(248, b"user", b"x", b"y", 1, -3),
    "bpf": call(321, 0, 0, 0),
    "setuid": call(105, 0),
    "init_module": call(175, 0, 0, b""),
    "reboot": call(169, 0xFEE1DEAD, 672274793, 0x01234567, 0),
})
"""


async def test_no_privilege_to_be_had(visit):
    """No capability, no new privileges, and every privileged system call is refused."""
    ada = await visit()
    status = await ada.sh("grep -E 'CapEff|CapPrm|CapBnd|CapAmb|NoNewPrivs|^Uid' /proc/self/status")
    assert "CapBnd:\t0000000000000000" in status
    assert "CapEff:\t0000000000000000" in status
    assert "NoNewPrivs:\t1" in status
    assert "Uid:\t1000\t1000\t1000\t1000" in status
    outcome = await ada.execute(SYSCALLS)
    assert outcome.error == ""
    assert outcome.text.count("(-1, 'EPERM')") == 8, outcome.text


TRICKS = (
    "sudo -n true",
    "su -c true",
    "echo b > /proc/sysrq-trigger",
    "cat /proc/kcore | head -c 1 | grep -q .",
    "dmesg -C",
    "cp /bin/sh /tmp/rootsh && chmod u+s /tmp/rootsh && /tmp/rootsh -p -c 'test $(id -u) = 0'",
    "mknod /tmp/disk b 254 0 && cat /tmp/disk",
    "echo x > /opt/firstbell/singleuser/__main__.py",
    "cat /etc/shadow",
    "chroot / true",
    "echo 1 > /sys/kernel/mm/ksm/run",
)


async def test_usual_tricks_fail(visit):
    """The usual ways to become somebody else, or to touch the machine, all fail."""
    ada = await visit()
    answers = {trick: await ada.sh(trick) for trick in TRICKS}
    assert not {trick: answer for trick, answer in answers.items() if "[exit 0]" in answer}


async def test_limits_are_set_on_the_engine(seminar, visit):
    """Memory with swap, pids and log size are bounded, nothing is published, nothing restarts by itself."""
    ada = await visit()
    host = seminar.server_of(ada.user)["HostConfig"]
    assert host["Memory"] == host["MemorySwap"] == 512 * 1024**2
    assert host["PidsLimit"] == 200
    assert host["CapDrop"] == ["ALL"]
    assert not host["CapAdd"]
    assert "no-new-privileges" in " ".join(host["SecurityOpt"])
    assert host["Init"] is True
    assert not host["PortBindings"]
    assert not host["Privileged"]
    assert host["LogConfig"]["Config"]["max-size"]
    assert host["RestartPolicy"]["Name"] in {"", "no"}
    assert not [m for m in seminar.server_of(ada.user)["Mounts"] if m["Type"] == "bind"]


OPTIONS = (
    {"image": "debian:trixie-slim"},
    {"mounts": [{"source": "/", "target": "/host"}]},
    {"mem_limit": "100G", "cap_add": ["SYS_ADMIN"]},
    {"profile": "big"},
)


async def test_options_change_nothing(seminar, visit):
    """A user's own request for another image, mount or limit is refused with the reason (attack 41)."""
    ada = await visit()
    before = seminar.server_of(ada.user)["Id"]
    headers = {"X-XSRFToken": ada.cookie("_xsrf", "hub/"), "Referer": f"{seminar.url}/hub/home"}
    for options in OPTIONS:
        async with ada.session.post(
            f"{seminar.url}/hub/api/users/{ada.user}/server", json=options, headers=headers
        ) as answer:
            assert answer.status == 400, await answer.text()
    assert seminar.server_of(ada.user)["Id"] == before


async def test_secrets_are_nowhere_to_be_read(seminar, visit):
    """Tokens and passwords stand in no log, no inspection of a server and no process list (attack 47)."""
    ada = await visit()
    marker = "swordfish-4711"
    await ada.execute(f"x = '{marker}'; print(len(x))")
    token = (await ada.execute("import os; print(os.environ['JUPYTERHUB_API_TOKEN'])")).text.strip()
    proxy_token = seminar.proxy_token()
    cookies = [c.value for c in ada.session.cookie_jar if len(c.value) > 20]
    secrets = [token, proxy_token, marker, *cookies]
    parts = [seminar.container(role) for role in ("hub", "proxy", "edge", "guard")]
    servers = [s["Name"].lstrip("/") for s in seminar.servers()]
    public = {
        **{f"log of {name}": _log(name) for name in [*parts, *servers]},
        "inspect": docker("inspect", *parts, *servers),
        "process list": _process_list(),
    }
    assert all(len(s) > 10 for s in secrets)
    found = {where: [s[:6] for s in secrets if s in text] for where, text in public.items()}
    assert not {where: what for where, what in found.items() if what}


def _process_list() -> str:
    return subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True).stdout


def _log(name: str) -> str:
    result = subprocess.run(["docker", "logs", name], capture_output=True, text=True)
    return result.stdout + result.stderr

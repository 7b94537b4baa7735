"""Hosts made of Linux namespaces, for trials of jobs that span hosts: each has a network, a hostname,
a boot id, /dev/shm and processes of its own, and a cable to one switch. Everything else, the disk
among it, they share.

enter_room() comes first: it starts the program anew in namespaces that end with it, so that a kill
-9 leaves no process, mount or interface. It needs root, or user namespaces for everyone.
"""

import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import uuid

NETWORK = "10.77.0"
INSIDE = "FATHOM_HOSTS_ROOM"
TOOLS = ["unshare", "nsenter", "ip", "mount", "hostname"]


def room_command():
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *user, "--pid", "--fork", "--kill-child", "--mount", "--mount-proc", "--net"]


def why_not():
    """Why this machine has no hosts of namespaces; None: it has."""
    missing = [tool for tool in TOOLS if not shutil.which(tool)]
    if missing:
        return f"needs {', '.join(missing)} (util-linux, iproute2, mount, hostname)"
    trial = ("ip link add switch type bridge && ip link add one type veth peer name two && "
             "exec unshare --net --uts --mount mount -t tmpfs tmpfs /dev/shm")
    done = subprocess.run([*room_command(), "sh", "-c", trial], stderr=subprocess.PIPE, text=True)
    return None if done.returncode == 0 else f"no namespaces here: {done.stderr.strip()}"


def die_with_parent():
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def enter_room(keep):
    """Returns inside the room, with an empty folder for its files. Outside, waits for the program inside,
    removes the folder unless `keep`, and exits with its code."""
    if os.environ.get(INSIDE):
        return pathlib.Path(os.environ[INSIDE])
    folder = tempfile.mkdtemp(prefix="fathom-hosts-")
    inside = subprocess.Popen([*room_command(), sys.executable, *sys.argv], env={**os.environ, INSIDE: folder},
                              preexec_fn=die_with_parent)

    def end(number, _):
        inside.kill()  # unshare, and the room with it
        sys.exit(128 + number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end)
    try:
        sys.exit(inside.wait())
    finally:
        inside.wait()
        if keep:
            print(f"runs and logs: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)


def run(*words, **options):
    return subprocess.run([str(word) for word in words], check=True, **options)


class Host:
    """`name` is for the trial; `hostname` is what the host calls itself."""

    def __init__(self, folder, name, number, hostname=None):
        self.name, self.hostname = name, hostname or name
        self.address, self.port = f"{NETWORK}.{number}", f"port{number}"
        boot_id = folder / f"{name}.boot_id"
        boot_id.write_text(f"{uuid.uuid4()}\n")
        script = (f"hostname {self.hostname} && ip link set lo up && mount -t tmpfs tmpfs /dev/shm && "
                  f"mount --bind {boot_id} /proc/sys/kernel/random/boot_id && echo up && exec sleep infinity")
        self.holder = subprocess.Popen(["unshare", "--net", "--uts", "--mount", "sh", "-c", script],
                                       stdout=subprocess.PIPE, text=True)
        if self.holder.stdout.readline() != "up\n":
            raise RuntimeError(f"{name} does not start")
        (folder / f"{name}.pid").write_text(str(self.holder.pid))
        run("ip", "link", "add", self.port, "type", "veth", "peer", "name", "eth0", "netns", self.holder.pid)
        run("ip", "link", "set", self.port, "master", "switch", "up")
        self.run("ip", "address", "add", f"{self.address}/24", "dev", "eth0")
        self.run("ip", "link", "set", "eth0", "up")
        self.network = os.readlink(f"/proc/{self.holder.pid}/ns/net")

    def command(self, *words):
        return ["nsenter", f"--target={self.holder.pid}", "--net", "--uts", "--mount", "--wd=.",
                *[str(word) for word in words]]

    def run(self, *words):
        return run(*self.command(*words))

    def start(self, *words, **options):
        return subprocess.Popen(self.command(*words), **options)

    def unplug(self):
        """Packets from and to the host are lost in silence."""
        run("ip", "link", "set", self.port, "down")

    def plug(self):
        run("ip", "link", "set", self.port, "up")

    def limit(self, rate):
        """What the host sends leaves at so many bits a second, "10mbit"."""
        self.run("tc", "qdisc", "replace", "dev", "eth0", "root", "tbf", "rate", rate, "burst", "32kb",
                 "latency", "400ms")

    def processes(self):
        """{pid: command line} of all that runs on the host."""
        found = {}
        for entry in pathlib.Path("/proc").iterdir():
            if not entry.name.isdigit() or int(entry.name) == self.holder.pid:
                continue
            try:
                if os.readlink(entry / "ns/net") == self.network:
                    words = (entry / "cmdline").read_bytes().split(b"\0")
                    found[int(entry.name)] = b" ".join(words).decode(errors="replace")
            except OSError:
                pass  # it has ended
        return found

    def end_processes(self):
        for pid in self.processes():
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


class Hosts:
    """Named hosts on one switch. `folder` is shared, as a cluster's file system is."""

    def __init__(self, folder, names, hostnames=None):
        self.folder = folder
        run("ip", "link", "set", "lo", "up")
        run("ip", "link", "add", "switch", "type", "bridge")
        run("ip", "link", "set", "switch", "up")
        self.all = [Host(folder, name, i + 1, (hostnames or {}).get(name)) for i, name in enumerate(names)]
        known = "".join(f"{host.address} {host.name}\n" for host in self.all)
        (folder / "etc_hosts").write_text(f"127.0.0.1 localhost\n{known}")
        for host in self.all:
            host.run("mount", "--bind", folder / "etc_hosts", "/etc/hosts")
        # What mpirun uses in place of ssh: `agent HOST WORDS...`.
        self.agent = folder / "agent"
        self.agent.write_text(f"#!/bin/sh\npid=$(cat {folder}/$1.pid)\nshift\n"
                              "exec nsenter --target=$pid --net --uts --mount --wd=. sh -c \"$*\"\n")
        self.agent.chmod(0o755)

    def __getitem__(self, name):
        return next(host for host in self.all if host.name == name)

    def close(self):
        for host in self.all:
            host.end_processes()
            host.holder.kill()
            host.holder.wait()
        run("ip", "link", "delete", "switch")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def within(seconds, condition):
    """Whether `condition` became true in that time."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            return False
        time.sleep(0.05)
    return True

#!/usr/bin/env python3
"""Ranks on several hosts: do they train alike, and what happens when a host or its network fails?

    bench/hosts.py [CASE ...] [--fathom build/release/fathom] [--keep]

Hosts are network namespaces of this machine (namespace_hosts.py), and Open MPI's mpirun starts ranks
on them over TCP, without shared memory. By default every case runs; --help lists them. A line for
each says what was seen; one that this machine cannot run is skipped, as `firewall` without nft (Debian's
nftables). Exit code 0: all that ran went as they should; 1: not; 77: none could run, for want of
namespaces or mpirun, say.
"""

import argparse
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import traceback

from namespace_hosts import NETWORK, Hosts, enter_room, within, why_not

SKIPPED = 77
NAMES = ["alpha", "beta", "gamma", "delta"]
NEVER = 10_000_000  # steps
# So that mpirun notices within 13 s that a host does not answer. By then nothing may be on its way to
# that host, as the end of the job is that ranks order after 15 s: TCP tries that for a quarter of an hour.
KEEPALIVE = ["--mca", "oob_tcp_keepalive_time", "4", "--mca", "oob_tcp_keepalive_intvl", "3",
             "--mca", "oob_tcp_keepalive_probes", "3"]
DATA = """tokenizer = "{folder}/tokenizer.json"
output = "{folder}/data"
held_out_fraction = 0.1
[[sources]]
name = "ships"
paths = ["{folder}/text.txt"]
format = "lines"
"""
RUN = """output = "{folder}/run"
threads = 1
dtype = "f32"
[model]
num_layers = 4
hidden_size = 64
num_heads = 4
max_position = 64
init_std = 0.05
[data]
directory = "{folder}/data"
[train]
sequence_length = 32
global_batch = 8
micro_batch = 2
steps = 40
[schedule]
kind = "constant"
peak = 1e-3
max_warmup = 0
[checkpoint]
interval_seconds = 0
every_steps = 10
max_write_megabytes = 20
[parallel]
pp = 2
"""


class Wrong(Exception):
    """What a case saw in place of what should be."""


class Skipped(Exception):
    """What a case lacks on this machine."""


def need(tool, package):
    if not shutil.which(tool):
        raise Skipped(f"needs {tool} (Debian's {package})")


def expect(condition, *seen):
    """What was seen goes into the error, of a log its end."""
    if not condition:
        raise Wrong("\n".join("\n".join(str(text).splitlines()[-30:]) for text in seen))


class Job:
    """mpirun on the first of `places` [(host, ranks)], with its output in a file."""

    def __init__(self, trial, name, places, words, options=()):
        self.trial, self.log_path = trial, trial.folder / f"{name}.log"
        hostfile = trial.folder / f"{name}.hosts"
        hostfile.write_text("".join(f"{host} slots={ranks}\n" for host, ranks in places))
        ranks = sum(ranks for _, ranks in places)
        self.hosts = [trial.hosts[host] for host in dict(places)]
        sanitizers = [name for name in ("ASAN_OPTIONS", "TSAN_OPTIONS") if name in os.environ]
        command = ["env", "TMPDIR=/dev/shm", "OMP_NUM_THREADS=1", "mpirun", "-n", ranks, "--hostfile", hostfile,
                   "--allow-run-as-root", "--bind-to", "none", "-x", "OMP_NUM_THREADS",
                   *[word for name in sanitizers for word in ("-x", name)],
                   "--mca", "plm_rsh_agent", trial.hosts.agent, "--mca", "pml", "ob1",
                   "--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include", f"{NETWORK}.0/24",
                   "--mca", "oob_tcp_if_include", f"{NETWORK}.0/24", *KEEPALIVE, *options, *words]
        with open(self.log_path, "w") as log:
            self.process = self.hosts[0].start(*command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

    def log(self):
        return self.log_path.read_text()

    def wait(self, seconds):
        """The exit code."""
        expect(within(seconds, lambda: self.process.poll() is not None),
               f"still running after {seconds} s:", self.log())
        return self.process.returncode

    def left_over(self, seconds, hosts):
        """Processes that still run on these hosts after so many seconds, by host."""
        def running():
            return {host.name: found for host in hosts if (found := host.processes())}
        within(seconds, lambda: not running())
        return running()


def last_step(checkpoint):
    return int(checkpoint.removeprefix("step-"))


class Trial:
    def __init__(self, folder, fathom, hosts):
        self.folder, self.fathom, self.hosts = folder, fathom, hosts
        (folder / "text.txt").write_text("".join(
            f"{i} ships left the harbour of 北京 with {i * i % 97} tons of grain\n" for i in range(300)))
        (folder / "data.toml").write_text(DATA.format(folder=folder))
        self.config = folder / "run.toml"
        self.config.write_text(RUN.format(folder=folder))
        with open(folder / "data.log", "w") as log:
            for words in (["tokenizer", "train", folder / "text.txt", "--vocab-size", "300", "--out",
                           folder / "tokenizer.json"], ["data", "prepare", folder / "data.toml"]):
                subprocess.run([fathom, *words], check=True, stdout=log, stderr=log)

    def start(self, run, places, settings=(), options=(), fathom=None):
        """A training job whose output is the folder `run`; `settings` are "key=value"."""
        words = [fathom or self.fathom, "train", self.config, "--set", f"output={self.folder / run}"]
        for setting in settings:
            words += ["--set", setting]
        return Job(self, f"{run}-{len(list(self.folder.glob(f'{run}-*.log')))}", places, words, options)

    def train(self, run, places, settings=(), **more):
        job = self.start(run, places, settings, **more)
        code = job.wait(120)
        expect(code == 0, f"exit code {code}", job.log())
        return job

    def losses(self, run):
        lines = (self.folder / run / "metrics.jsonl").read_text().splitlines()
        return {row["step"]: row["loss"] for row in map(json.loads, lines) if "loss" in row}

    def weights(self, run):
        return hashlib.md5((self.folder / run / "model/model.safetensors").read_bytes()).hexdigest()

    def checkpoints(self, run):
        return sorted(path.name for path in (self.folder / run / "checkpoints").glob("step-????????"))

    def newest(self, run):
        saved = self.checkpoints(run)
        expect(saved, f"{run} has no checkpoint")
        return saved[-1]

    def await_step(self, job, run, step):
        """Until a checkpoint of this step or a later one is there."""
        def there():
            saved = self.checkpoints(run)
            return job.process.poll() is not None or (saved and last_step(saved[-1]) >= step)
        expect(within(60, there) and job.process.poll() is None, "no checkpoint", job.log())


def each(ranks, names):
    return [(name, ranks) for name in names]


def largest_difference(one, other):
    expect(one.keys() == other.keys(), f"steps {sorted(one)} and {sorted(other)}")
    return max(abs(one[step] - other[step]) for step in one)


def training(trial):
    """Four hosts train to the same losses and weights as four ranks of one host."""
    trial.train("one-host", [("alpha", 4)])
    trial.train("four-hosts", each(1, NAMES))
    one, four = trial.losses("one-host"), trial.losses("four-hosts")
    expect(one == four and trial.weights("one-host") == trial.weights("four-hosts"), one, four)
    last = max(one)
    return f"{len(one)} losses equal, the last {one[last]:.6f}; weights {trial.weights('four-hosts')}"


def verify(trial, name, *words):
    job = Job(trial, name, each(1, NAMES), [trial.fathom, "verify", trial.config, "--set",
                           "model.num_layers=8", "--layouts", "all4", *words])
    code = job.wait(1200)
    summary = [line for line in job.log().splitlines() if "layouts and transfers" in line]
    expect(code == 0 and summary, f"exit code {code}", job.log())
    return summary[-1]


def layouts(trial):
    """Every layout of four ranks on four hosts gives one rank's results."""
    return verify(trial, "layouts", "--transfers", "none")


def transfers(trial):
    """The same, each going on from its neighbours' checkpoints, and from its own."""
    return verify(trial, "transfers", "--transfers", "ring")


def endless(trial, run):
    """A run on four hosts that has just saved its second checkpoint."""
    job = trial.start(run, each(1, NAMES), [f"train.steps={NEVER}"])
    trial.await_step(job, run, 20)
    return job


def ranks_on(host):
    return [pid for pid, words in host.processes().items() if " train " in words and "orted" not in words]


def lose(job, gone):
    """Unplugs a host; what is to be seen then on it and on the others."""
    gone.unplug()
    since = time.monotonic()
    others = [host for host in job.hosts if host is not gone]
    ended = within(30, lambda: not any(host.processes() for host in others))
    seconds = time.monotonic() - since
    expect(ended, "after 30 s there are still", {host.name: host.processes() for host in others}, job.log())
    ended = within(30, lambda: not ranks_on(gone))
    expect(ended, f"ranks are left on {gone.name}", gone.processes())
    daemons = "its launcher's daemon waits" if gone.processes() else "nothing is left there"
    alone = time.monotonic() - since
    gone.plug()
    return seconds, f"others empty after {seconds:.0f} s, {gone.name}'s ranks ended after {alone:.0f} s ({daemons})"


def vanish(trial):
    """A host loses its network for good: the job ends everywhere, and names the rank and its host."""
    job = endless(trial, "vanish")
    _, seen = lose(job, trial.hosts["gamma"])
    code = job.wait(1)
    told = [line for line in job.log().splitlines() if "on gamma" in line and "has not answered for" in line]
    expect(told and code != 0, f"exit code {code}", job.log())
    return "\n  ".join([f"exit code {code}, {seen}", *told])


def resume(trial):
    """After that: two hosts go on from the newest checkpoint, in the same layout and in another."""
    if not trial.checkpoints("vanish"):
        vanish(trial)
    newest = trial.newest("vanish")
    steps = [f"train.steps={last_step(newest) + 10}"]
    for copy in ["same-layout", "other-layout"]:
        shutil.copytree(trial.folder / "vanish", trial.folder / copy)
    trial.train("undisturbed", [("alpha", 4)], steps)
    trial.train("same-layout", each(2, NAMES[:2]), steps)
    trial.train("other-layout", each(1, NAMES[:2]), [*steps, "parallel.pp=1", "parallel.tp=2"])
    whole = trial.losses("undisturbed")
    same, other = trial.losses("same-layout"), trial.losses("other-layout")
    expect(same == whole and trial.weights("same-layout") == trial.weights("undisturbed"), same, whole)
    difference = largest_difference(whole, other)
    expect(difference < 1e-4, f"losses differ by {difference}")
    return (f"from {newest}, {len(whole)} losses: same layout equal, and its weights; "
            f"tp 2 in place of pp 2 x dp 2 differs by at most {difference:.1e}")


def lost_launcher(trial):
    """The host of mpirun itself loses its network: the others end by themselves, and so does mpirun."""
    job = endless(trial, "lost-launcher")
    trial.hosts["alpha"].unplug()
    since = time.monotonic()
    others = job.hosts[1:]
    ended = within(30, lambda: not any(ranks_on(host) for host in others))
    expect(ended, "ranks are left", [host.processes() for host in others])
    seconds = time.monotonic() - since
    code = job.wait(30)
    alone = time.monotonic() - since
    expect(code != 0, f"mpirun's exit code {code}", job.log())
    left = job.left_over(5, job.hosts[:1])
    expect(not left, "left on mpirun's host:", left)
    trial.hosts["alpha"].plug()
    return f"the others' ranks ended after {seconds:.0f} s, mpirun after {alone:.0f} s with exit code {code}"


def ended_by_user(trial, job, run, compared_with):
    """SIGTERM for mpirun: the run saves and ends; its losses are those of another run."""
    since = time.monotonic()
    for pid, words in trial.hosts["alpha"].processes().items():
        if words.startswith("mpirun "):
            os.kill(pid, signal.SIGTERM)
    job.wait(30)
    seconds = time.monotonic() - since
    losses = trial.losses(run)
    trial.train(compared_with, [("alpha", 4)], [f"train.steps={max(losses)}"])
    whole = trial.losses(compared_with)
    wrong = {step: loss for step, loss in losses.items() if whole.get(step) != loss}
    expect(not wrong, f"other losses than undisturbed: {wrong}")
    newest = trial.newest(run)
    return f"{len(losses)} losses as undisturbed; SIGTERM ended it in {seconds:.0f} s, newest {newest}"


def flap(trial):
    """A host's network is gone for 5 s: the run goes on."""
    job = endless(trial, "flap")
    host = trial.hosts["gamma"]
    host.unplug()
    time.sleep(5.5)
    host.plug()
    trial.await_step(job, "flap", last_step(trial.newest("flap")) + 30)
    told = [line for line in job.log().splitlines() if "answer" in line]
    return "\n  ".join([ended_by_user(trial, job, "flap", "flap-undisturbed"), *told])


def slow(trial):
    """A host sends 2 Mbit/s: the same losses, later."""
    need("tc", "iproute2")
    trial.train("fast", each(1, NAMES), ["train.steps=8"])
    host = trial.hosts["beta"]
    host.limit("2mbit")
    begin = time.monotonic()
    job = trial.train("slow", each(1, NAMES), ["train.steps=8"])
    host.run("tc", "qdisc", "delete", "dev", "eth0", "root")
    expect(trial.losses("fast") == trial.losses("slow"), trial.losses("fast"), trial.losses("slow"))
    told = [line for line in job.log().splitlines() if "answer" in line]
    return f"8 losses equal, {time.monotonic() - begin:.0f} s; {told or 'no warnings'}"


def firewall(trial):
    """A host's firewall lets in only the ports given to MPI: a warning, and the run goes on."""
    need("nft", "nftables")
    host = trial.hosts["gamma"]
    for rule in ["add table inet hosts",
                 "add chain inet hosts in { type filter hook input priority 0; policy accept; }",
                 "add rule inet hosts in iif lo accept", "add rule inet hosts in ct state established accept",
                 "add rule inet hosts in tcp dport 20000-20999 accept", "add rule inet hosts in meta l4proto tcp drop"]:
        host.run("nft", rule)
    ports = ["--mca", "btl_tcp_port_min_v4", "20000", "--mca", "btl_tcp_port_range_v4", "500",
             "--mca", "oob_tcp_dynamic_ipv4_ports", "20500-20999"]
    try:
        job = trial.train("firewall", each(1, NAMES), ["train.steps=8"], options=ports)
    finally:
        host.run("nft", "delete table inet hosts")
    told = [line for line in job.log().splitlines() if "warning" in line and "TCP" in line]
    expect(told, job.log())
    return f"{len(trial.losses('firewall'))} steps; {told[0]}"


def missing_data(trial):
    """The data's folder is empty on one host: the error names rank and host."""
    host, data = trial.hosts["delta"], trial.folder / "data"
    host.run("mount", "-t", "tmpfs", "tmpfs", data)
    try:
        job = trial.start("missing", each(1, NAMES))
        code = job.wait(60)
    finally:
        host.run("umount", data)
    told = [line for line in job.log().splitlines() if line.startswith("error:")]
    expect(code == 2 and told and "rank 3" in told[0] and "on delta" in told[0], f"exit code {code}", job.log())
    return f"exit code {code}: {told[0]}"


def other_build(trial):
    """Another build of Fathom on one host: a warning names it."""
    other = trial.folder / "other_build"
    program = trial.fathom.read_bytes()
    head = b"\x04\0\0\0\x14\0\0\0\x03\0\0\0GNU\0"  # of the note: 20 bytes of SHA-1 follow
    if head not in program:
        raise Skipped("needs a program that its linker gave a build id")
    note = program.index(head) + len(head)
    other.write_bytes(program[:note] + bytes(20) + program[note + 20:])
    other.chmod(0o755)
    host = trial.hosts["beta"]
    host.run("mount", "--bind", other, trial.fathom)
    try:
        job = trial.train("other-build", each(1, NAMES), ["train.steps=4"])
    finally:
        host.run("umount", trial.fathom)
    told = [line for line in job.log().splitlines() if "another build" in line]
    expect(told, job.log())
    return told[0]


def same_name(trial):
    """Two hosts that call themselves alike: messages tell them apart by their addresses."""
    for name in NAMES:
        trial.hosts[name].run("hostname", "localhost")
    try:
        job = trial.train("same-name", each(1, NAMES), ["train.steps=8"])
        gone = endless(trial, "same-name-lost")
        trial.hosts["gamma"].unplug()
        code = gone.wait(40)
    finally:
        trial.hosts["gamma"].plug()
        for name in NAMES:
            trial.hosts[name].run("hostname", name)
    address = f"on localhost ({trial.hosts['gamma'].address})"
    told = [line for line in gone.log().splitlines() if address in line]
    expect(told and code != 0, gone.log())
    return f"8 steps; {told[0]}"


def clocks(trial):
    """A host's monotonic clock is days ahead: training and saves by the clock go on as ever."""
    host, program = trial.hosts["beta"], trial.folder / "ahead"
    copy = trial.folder / "copy"
    shutil.copy(trial.fathom, copy)
    program.write_text(f'#!/bin/sh\nexec unshare --time --monotonic=1000000 --fork "{copy}" "$@"\n')
    program.chmod(0o755)
    host.run("mount", "--bind", program, trial.fathom)
    settings = ["train.steps=40", "checkpoint.every_steps=0", "checkpoint.interval_seconds=1"]
    try:
        trial.train("clocks", each(1, NAMES), settings)
    finally:
        host.run("umount", trial.fathom)
    trial.train("clocks-alone", [("alpha", 4)], settings)
    expect(trial.losses("clocks") == trial.losses("clocks-alone"), "other losses")
    saved = trial.checkpoints("clocks")
    expect(len(saved) > 1, saved)
    return f"40 losses as on one host; saved {', '.join(saved)}"


def same_address(trial):
    """Every host has a container bridge with the same address, as Docker makes it."""
    for host in trial.hosts.all:
        host.run("ip", "link", "add", "docker0", "type", "bridge")
        host.run("ip", "address", "add", "172.17.0.1/16", "dev", "docker0")
        host.run("ip", "link", "set", "docker0", "up")
    try:
        job = trial.train("same-address", each(1, NAMES), ["train.steps=8"])
    finally:
        for host in trial.hosts.all:
            host.run("ip", "link", "delete", "docker0")
    told = [line for line in job.log().splitlines() if "warning" in line and "TCP" in line]
    expect(not told, told)
    return "8 steps, neighbours connected"


CASES = {case.__name__: case for case in [
    training, layouts, transfers, vanish, resume, lost_launcher, flap, slow, firewall, missing_data, other_build,
    same_name, same_address, clocks]}


def tried(name, case):
    """An exit code of this program, for one case; prints a line of what the case saw."""
    begin, code = time.monotonic(), 0
    try:
        seen = case()
    except Skipped as skipped:
        seen, code = f"skipped: {skipped}", SKIPPED
    except (Wrong, OSError, subprocess.SubprocessError) as wrong:
        seen, code = f"WRONG: {wrong}", 1
    except Exception:  # the other cases run all the same
        seen, code = f"WRONG: {traceback.format_exc()}", 1
    print(f"{name} ({time.monotonic() - begin:.0f} s): {seen}", flush=True)
    return code


def exit_code(codes):
    """Of several cases together."""
    return 1 if 1 in codes else min(codes)


def parse(description, cases, tools):
    """The command line's options and cases; exits where the cases cannot run."""
    listed = "\n".join(f"  {name:14} {case.__doc__}" for name, case in cases.items())
    parser = argparse.ArgumentParser(description=description, epilog=f"cases:\n{listed}",
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("cases", nargs="*", metavar="CASE", help="what to try; default: everything")
    parser.add_argument("--fathom", type=pathlib.Path, default="build/release/fathom", help="the program")
    parser.add_argument("--keep", action="store_true", help="keep the runs and their logs, and say where")
    options = parser.parse_args()
    for name in options.cases:
        if name not in cases:
            parser.error(f"no case {name!r}: there are {', '.join(cases)}")
    if not options.fathom.exists():
        parser.error(f"{options.fathom} is not there: build it, or name another with --fathom")
    missing = [tool for tool in tools if not shutil.which(tool)]
    reason = f"needs {', '.join(missing)}" if missing else why_not()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(SKIPPED)
    options.fathom = options.fathom.resolve()
    options.cases = {name: cases[name] for name in options.cases or cases}
    return options


def main():
    options = parse(__doc__.splitlines()[0], CASES, ["mpirun"])
    folder, codes = enter_room(options.keep), []
    with Hosts(folder, NAMES) as hosts:
        trial = Trial(folder, options.fathom, hosts)
        for name, case in options.cases.items():
            codes.append(tried(name, lambda: case(trial)))
            for host in hosts.all:
                host.plug()
                host.end_processes()
    return exit_code(codes)


if __name__ == "__main__":
    sys.exit(main())

#!/usr/bin/env python3
"""The Slurm script of docs/parallelism.md on four hosts: runs, is cut by its limit, goes on.

    bench/slurm_hosts.py [CASE ...] [--fathom build/release/fathom] [--keep]

slurmctld, munged and a slurmd on each host run in network namespaces (namespace_hosts.py), with a
configuration and a key of their own: nothing of the machine's Slurm is touched. Needs Debian's
slurmctld, slurmd, slurm-client and munge. Exit codes as those of hosts.py.
"""

import os
import pathlib
import re
import secrets
import subprocess
import sys
import time

from hosts import NAMES, NEVER, Trial, exit_code, expect, last_step, parse, tried
from namespace_hosts import NETWORK, Hosts, enter_room, within

CONFIG = """ClusterName=trial
SlurmctldHost=alpha
AuthType=auth/munge
AuthInfo=socket={folder}/munge.socket
CredType=cred/munge
SlurmUser=root
SlurmdUser=root
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
StateSaveLocation={folder}/state
SlurmctldPidFile={folder}/slurmctld.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%h.log
SlurmdPidFile=/dev/shm/slurmd.pid
SlurmdSpoolDir=/dev/shm/slurmd
TmpFS=/dev/shm
ReturnToService=2
SlurmdTimeout=60
SchedulerParameters=bf_interval=2,sched_interval=2
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
NodeName={names} CPUs={cpus} RealMemory=500
PartitionName=all Nodes=ALL Default=YES MaxTime=INFINITE State=UP
"""
# As docs/parallelism.md has it, for two hosts with two ranks each and no GPUs; ENDING follows.
SCRIPT = """#!/bin/bash
#SBATCH --nodes=2 --ntasks-per-node=2 --overcommit
#SBATCH --signal=TERM@{notice}
#SBATCH --time={minutes}
#SBATCH --requeue --open-mode=append --chdir={folder} --output={folder}/{run}.log
export SLURM_PMIX_FENCE=tree
srun --mpi=pmix --overcommit {fathom} train {config} --set output={folder}/{run} --set train.steps={steps} \\
     --set parallel.pp=2
"""
# What the script there does with the run's exit code.
DOCUMENT = pathlib.Path(__file__).resolve().parent.parent / "docs/parallelism.md"
ENDING = re.search(r"^code=\$\?\n.*?^exit \$code\n", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)[0]
TOOLS = ["slurmctld", "slurmd", "sbatch", "srun", "scontrol", "squeue", "munged"]


class Slurm:
    def __init__(self, folder, hosts):
        self.folder, self.head = folder, hosts["alpha"]
        config, key = folder / "slurm.conf", folder / "munge.key"
        config.write_text(CONFIG.format(folder=folder, names=",".join(NAMES), cpus=os.cpu_count()))
        (folder / "state").mkdir()
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o400)
        os.environ["SLURM_CONF"] = str(config)
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        files = [f"--{name}-file={folder}/munge.{name}" for name in ["key", "pid", "log", "seed"]]
        subprocess.Popen(["munged", "--foreground", "--force", f"--socket={folder}/munge.socket", *files], **quiet)
        expect(within(5, (folder / "munge.socket").exists), "munged does not start")
        self.head.start("slurmctld", "-D", "-i", "-f", config, **quiet)
        for host in hosts.all:
            host.start("slurmd", "-D", "-N", host.name, "-f", config, **quiet)
        expect(within(30, lambda: f"idle {len(NAMES)}" in self.ask("sinfo", "-h", "-o", "%t %D")),
               "the nodes do not come up:", self.ask("sinfo", "-R"))

    def ask(self, *words):
        return subprocess.run(self.head.command(*words), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              text=True).stdout

    def submit(self, trial, run, steps, minutes=10, notice=120):
        script = self.folder / f"{run}.sh"
        script.write_text(SCRIPT.format(folder=self.folder, run=run, steps=steps, minutes=minutes, notice=notice,
                                        fathom=trial.fathom, config=trial.config) + ENDING)
        said = self.ask("sbatch", "--parsable", script)
        expect(said.strip().isdigit(), said)
        return said.strip()

    def state(self, job):
        """("COMPLETED", 1): the state, and how often it was queued again."""
        said = self.ask("scontrol", "show", "job", job)
        found = re.search(r"JobState=(\w+).*?Restarts=(\d+)", said, re.DOTALL)
        return (found[1], int(found[2])) if found else ("UNKNOWN", 0)

    def nodes(self, job):
        listed = re.search(r" NodeList=(\S+)", self.ask("scontrol", "show", "job", job))[1]
        return self.ask("scontrol", "show", "hostnames", listed).split()

    def log(self, run):
        path = self.folder / f"{run}.log"
        return path.read_text() if path.exists() else ""


def await_state(slurm, job, run, seconds, wanted):
    expect(within(seconds, lambda: wanted(*slurm.state(job))), slurm.state(job), slurm.log(run))


def ends(state, _):
    return state in ("COMPLETED", "FAILED", "TIMEOUT", "CANCELLED", "NODE_FAIL")


def same_as_alone(trial, run, steps):
    trial.train(f"{run}-alone", [("alpha", 4)], [f"train.steps={steps}"])
    expect(trial.losses(run) == trial.losses(f"{run}-alone"), trial.losses(run), trial.losses(f"{run}-alone"))
    expect(trial.weights(run) == trial.weights(f"{run}-alone"), "other weights")


def script(slurm, trial):
    """sbatch with srun --mpi=pmix trains to the losses of mpirun on one host."""
    job = slurm.submit(trial, "script", 20)
    await_state(slurm, job, "script", 90, ends)
    expect(slurm.state(job)[0] == "COMPLETED", slurm.state(job), slurm.log("script"))
    same_as_alone(trial, "script", 20)
    return f"job {job} {slurm.state(job)[0]}, 20 losses and the weights equal those of mpirun on one host"


def goes_on(slurm, trial, job, run):
    """The job has been queued again, and goes on from where it was. Slurm waits two minutes, and until it
    has given up a node that does not answer."""
    saved = last_step(trial.newest(run))
    await_state(slurm, job, run, 300, lambda state, restarts: state == "RUNNING" and restarts == 1)
    expect(within(60, lambda: last_step(trial.newest(run)) > saved), slurm.log(run))
    slurm.ask("scancel", job)
    await_state(slurm, job, run, 60, ends)
    expect(trial.losses(run).keys() >= set(range(1, saved + 2)), "steps are missing")
    told = [line for line in slurm.log(run).splitlines() if line.startswith("resuming ")]
    expect(told, slurm.log(run))
    return f"job {job} ran again: {told[-1]}; after scancel it is {slurm.state(job)[0]}"


def limit(slurm, trial):
    """The limit is near: SIGTERM in time, the run saves, and the script queues the job again."""
    job = slurm.submit(trial, "limit", NEVER, minutes=1, notice=30)
    await_state(slurm, job, "limit", 150, lambda _, restarts: restarts == 1)
    expect("stopped by a signal" in slurm.log("limit"), slurm.log("limit"))
    return goes_on(slurm, trial, job, "limit")


def requeue(slurm, trial):
    """scontrol requeue: the job saves, and goes on."""
    job = slurm.submit(trial, "requeue", NEVER)
    expect(within(60, lambda: trial.checkpoints("requeue")), slurm.log("requeue"))
    slurm.ask("scontrol", "requeue", job)
    await_state(slurm, job, "requeue", 60, lambda _, restarts: restarts == 1)
    expect(within(60, lambda: "stopped by a signal" in slurm.log("requeue")), slurm.log("requeue"))
    return goes_on(slurm, trial, job, "requeue")


def node_lost(slurm, trial):
    """A node loses its network: the job is queued again, and goes on without that node."""
    job = slurm.submit(trial, "node-lost", NEVER)
    expect(within(60, lambda: trial.checkpoints("node-lost")), slurm.log("node-lost"))
    nodes = slurm.nodes(job)
    gone = trial.hosts[next(name for name in nodes if name != "alpha")]
    gone.unplug()
    since = time.monotonic()
    await_state(slurm, job, "node-lost", 120, lambda _, restarts: restarts == 1)
    seconds = time.monotonic() - since
    told = [line for line in slurm.log("node-lost").splitlines() if "not answered" in line]
    expect(any(f"on {gone.name}" in line for line in told), slurm.log("node-lost"))
    try:
        return "\n  ".join([f"{gone.name} of {nodes} gone: queued again after {seconds:.0f} s", *told,
                            goes_on(slurm, trial, job, "node-lost")])
    finally:
        gone.plug()


def failures(slurm, trial):
    """The script queues its job again after every stop at the limit, and after nine failures in a row; with
    a scontrol that only says so."""
    folder = slurm.folder / "failures"
    folder.mkdir()

    def ends_with(code):
        """Whether the script queues the job again after this exit code of the run."""
        said = subprocess.run(["bash", "-c", f"scontrol() {{ echo \"$@\"; }}\n(exit {code})\n{ENDING}"], cwd=folder,
                              env={**os.environ, "SLURM_JOB_ID": "7"}, stdout=subprocess.PIPE, text=True)
        expect(said.returncode == code and said.stdout in ("", "requeue 7\n"), said)
        return said.stdout != ""

    codes = [143] * 12 + [1] * 9 + [143] + [1, 137] * 5
    again = [ends_with(code) for code in codes]
    expect(again == [True] * (len(codes) - 1) + [False], list(zip(codes, again)))
    expect(len((folder / "failures-7").read_text().splitlines()) == 10, list(folder.iterdir()))
    expect(not ends_with(2) and not ends_with(0) and not list(folder.iterdir()), list(folder.iterdir()))
    return f"queued again {sum(again)} times of {len(codes)}, not after the tenth failure in a row"


CASES = {case.__name__: case for case in [script, limit, requeue, node_lost, failures]}


def main():
    options = parse(__doc__.splitlines()[0], CASES, [*TOOLS, "mpirun"])
    folder, codes = enter_room(options.keep), []
    # Over TCP alone, as between hosts.
    os.environ.update(OMP_NUM_THREADS="1", OMPI_MCA_pml="ob1", OMPI_MCA_btl="tcp,self",
                      OMPI_MCA_btl_tcp_if_include=f"{NETWORK}.0/24")
    with Hosts(folder, NAMES) as hosts:
        trial = Trial(folder, options.fathom, hosts)
        slurm = Slurm(folder, hosts)
        for name, case in options.cases.items():
            codes.append(tried(name, lambda: case(slurm, trial)))
    return exit_code(codes)


if __name__ == "__main__":
    sys.exit(main())

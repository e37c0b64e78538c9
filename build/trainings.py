"""Trainings in processes of their own, several at a time, none of them twice."""

import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path

from .errors import ToolError
from .paths import write_text
from .records import Record, source

__all__ = ["Job", "run_all"]

QUIET = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""One thread a training: two of them on two cores are faster than one on both."""
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "20000000000"}
"""Lets glibc reuse the 33 MB arrays of a batch in place of returning them to the system every time."""


@dataclass(frozen=True)
class Job:
    """One training.

    Attributes
    ----------
    folder : Path
    name : str
        Of its files there.
    options : tuple of str
        Of the verb; the last is the model file.
    verb : str
    start : Job or None
        Whose model file it starts from.
    """

    folder: Path
    name: str
    options: tuple
    verb: str = "train"
    start: "Job | None" = None

    @property
    def result(self):
        return self.folder / f"{self.name}.json"

    @property
    def model(self):
        return Path(self.options[-1])

    def found(self):
        """The result that is there already, or None. Raises ToolError where it is of other options."""
        if not self.result.is_file():
            return None
        return self.checked(json.loads(self.result.read_text()), f"{self.result}: is", "delete it, or choose another --out")

    def checked(self, found, what, advice):
        """The result. Raises ToolError where it is of other options: a line that begins with `what` and ends with `advice`."""
        made_with = found.get("options", list(self.options))
        if _named(made_with) != _named(self.options):
            raise ToolError(f"{what} of other options: {shlex.join(made_with)}; {advice}")
        return found

    def run(self):
        """Train. Returns the result; raises ToolError with the line that says what went wrong."""
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "mubinn.build.cli", self.verb, *self.options, "--json"]
        with open(self.folder / f"{self.name}.log", "a") as log:
            log.write(f"$ {shlex.join(command)}\n")
            log.flush()
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=log, env=QUIET | KEEP_MEMORY | os.environ)
        if done.returncode:
            raise ToolError(f"{log.name}: mubinn {self.verb} exited with {done.returncode}, the log says why")
        found = json.loads(done.stdout) | {"options": list(self.options), "source": source()}
        self.write(found)
        return found

    def write(self, found):
        """Put the result into its file."""
        self.folder.mkdir(parents=True, exist_ok=True)
        write_text(self.result, json.dumps(found) + "\n")


def _named(options):
    """Options with the names of the files that a training reads and writes, whose folder makes no difference to it."""
    return [Path(o).name if before in ("-o", "--start") else o for before, o in zip(("", *options), options, strict=False)]


def run_all(plan, jobs, *, record=None, out=None):
    """Run Jobs, so many at a time, in their order but for those that wait for the model they start from; a bar on stderr.

    A job whose result is there is not run, unless another one starts from its model and the model is not there.

    Parameters
    ----------
    plan : list of Job
        Each behind the one that it starts from.
    jobs : int
    record : path or None
        Of a Record: results that are in it count as there, and every new one is added to it, by its path below `out`.
    out : path
        With `record` only.

    Raises ToolError with the line of the first that failed; those that run go on to their end.
    """
    from rich.console import Console
    from rich.progress import Progress

    def name(job):
        return job.result.relative_to(out).with_suffix("").as_posix()

    record = None if record is None else Record(record)
    for job in plan if record is not None else ():
        there, kept = job.found(), record.result(name(job))
        if there is None and kept is not None:
            job.write(job.checked(kept, f"{record.path}: {name(job)} is", "delete its line, or choose another --record"))
        elif there is not None and kept is None:
            record.keep(name(job), there)
    before = {job: job.found() for job in plan}
    waiting = [job for job in plan if before[job] is None]
    again = {job.start for job in waiting if job.start is not None and not job.start.model.is_file()}
    waiting = [job for job in plan if job in again or job in waiting]
    with Progress(console=Console(stderr=True), transient=True) as bar, ThreadPoolExecutor(jobs) as pool:
        task = bar.add_task("trainings", total=len(plan), completed=len(plan) - len(waiting))
        running = {}
        while waiting or running:
            ready = [job for job in waiting if job.start not in waiting and job.start not in running.values()]
            for job in ready[: jobs - len(running)]:
                waiting.remove(job)
                running[pool.submit(job.run)] = job
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                job, found = running.pop(future), future.result()
                if before[job] is not None and before[job].get("test_label") != found.get("test_label"):
                    bar.console.print(f"{job.result}: trained again for its model, and some of its test windows differ")
                if record is not None:
                    record.keep(name(job), found)
                bar.advance(task)

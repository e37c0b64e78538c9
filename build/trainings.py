"""Trainings in processes of their own, several at a time, none of them twice."""

import json
import os
import shlex
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from .errors import ToolError

__all__ = ["Job", "run_all"]

QUIET = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
"""One thread a training: two of them on two cores are faster than one on both."""
KEEP_MEMORY = {"MALLOC_MMAP_MAX_": "0", "MALLOC_TRIM_THRESHOLD_": "20000000000"}
"""Lets glibc reuse the 33 MB arrays of a batch in place of returning them to the system every time."""


@dataclass(frozen=True)
class Job:
    """One training: its folder, the name of its files there, and the verb with its options."""

    folder: Path
    name: str
    options: tuple
    verb: str = "train"

    @property
    def result(self):
        return self.folder / f"{self.name}.json"

    def run(self):
        """Train unless the result is there. Returns None, or the line that says what went wrong."""
        if self.result.is_file():
            made_with = json.loads(self.result.read_text()).get("options", list(self.options))
            if made_with != list(self.options):
                return f"{self.result}: is of other options: {shlex.join(made_with)}; delete it, or choose another --out"
            return None
        self.folder.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "mubinn.build.cli", self.verb, *self.options, "--json"]
        with open(self.folder / f"{self.name}.log", "a") as log:
            log.write(f"$ {shlex.join(command)}\n")
            log.flush()
            done = subprocess.run(command, stdout=subprocess.PIPE, stderr=log, env=QUIET | KEEP_MEMORY | os.environ)
        if done.returncode:
            return f"{log.name}: mubinn {self.verb} exited with {done.returncode}, the log says why"
        temporary = self.result.with_suffix(".tmp")
        temporary.write_text(json.dumps(json.loads(done.stdout) | {"options": self.options}) + "\n")
        os.replace(temporary, self.result)
        return None


def run_all(stages, jobs):
    """Run lists of Jobs, so many at a time, each list once the one before is done; a bar on stderr.

    Raises ToolError with the line of the first that failed; those that run go on to their end.
    """
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar, ThreadPoolExecutor(jobs) as pool:
        task = bar.add_task("trainings", total=sum(map(len, stages)))
        for stage in stages:
            for problem in pool.map(Job.run, stage):
                if problem:
                    raise ToolError(problem)
                bar.advance(task)

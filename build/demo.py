"""The whole way on a shipped model: eval, generate, simulate, synth, report."""

import time
from dataclasses import dataclass
from pathlib import Path

from mubinn.model.artifact import load_model
from mubinn.model.evaluate import evaluate, load_test
from mubinn.sim.simulate import simulate

from .generate import generate
from .report import report
from .reports import save_figures
from .synth import synthesize
from .targets import target_named

__all__ = ["Demo", "demo"]


@dataclass(frozen=True, kw_only=True)
class Demo:
    """What every stage measured, and the page."""

    model: str
    stages: dict
    headline: dict
    page: Path
    seconds: float

    def figures(self):
        ok = self.headline["mismatches"] == 0
        return {"ok": ok, "model": self.model, **self.headline, "report": str(self.page)} | {
            "seconds": round(self.seconds, 1),
            "stages": self.stages,
        }


def demo(out, *, model="eeg-2-2", data="eeg-sample", target="ice40-up5k", simulator="verilator", progress=None):
    """Run everything on a shipped model and windows.

    Parameters
    ----------
    out : path
        Folder of the core and its report.
    model, data : str
        Shipped names or paths.
    target, simulator : str
    progress : callable or None
        Called with a line before each stage.
    """
    say = progress or (lambda line: None)
    started = time.monotonic()
    target = target_named(target)
    model_file = load_model(model)
    windows = load_test(model_file, data, None)
    stages = {}
    say(f"eval       {model} on {data}: golden model and float parent")
    stages["eval"] = evaluate(model_file, windows).figures()
    say("generate   Verilog, memory images, test vectors")
    made = generate(model_file, out, family=target.family, x=model_file.quantize_input(windows.x[:2, :20]))
    stages["generate"] = made.figures()
    save_figures(out, "eval", stages["eval"])
    say(f"simulate   {len(windows)} windows in {simulator}, every signal against the golden model")
    stages["simulate"] = simulate(out, windows, simulator=simulator).figures()
    save_figures(out, "simulate", stages["simulate"])
    say(f"synth      Yosys and nextpnr for {target.name}")
    stages["synth"] = synthesize(out, target).figures()
    save_figures(out, f"synth-{target.name}", stages["synth"])
    say("report")
    page = report(out)
    return Demo(model=model, stages=stages, headline=page.headline, page=page.path, seconds=time.monotonic() - started)

"""One HTML page about a generated core, with pictures inside it: no other file, no script."""

import html
from dataclasses import dataclass
from pathlib import Path

from mubinn.model.artifact import load_model
from mubinn.model.network_file import load_network

from . import report_core, report_network
from .core_folder import read_manifest
from .paths import write_text
from .report_parts import scores, synthesis, tiles
from .reports import load_figures

__all__ = ["Report", "report"]

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c2733;background:#fff}
h1{font-size:1.6rem;margin-bottom:.2rem}h2{font-size:1.15rem;margin-top:2rem;border-bottom:1px solid #d5dce3}
table{border-collapse:collapse;margin:.5rem 0}td,th{padding:.25rem .9rem .25rem 0;text-align:left;vertical-align:top}
td.n{text-align:right;font-variant-numeric:tabular-nums}.note{color:#5a6772}
.tiles{display:flex;flex-wrap:wrap;gap:.8rem;margin:1rem 0}
.tile{border:1px solid #d5dce3;border-radius:.4rem;padding:.5rem .9rem;min-width:7.5rem}
.tile b{display:block;font-size:1.35rem}.bad{color:#a3171b}svg{max-width:100%;height:auto}
"""


@dataclass(frozen=True, kw_only=True)
class Report:
    """Where the page is, and its headline as `mubinn report --json` prints it."""

    path: Path
    headline: dict

    def figures(self):
        return {"report": str(self.path)} | self.headline


def report(directory):
    """Write DIR/report.html from what the verbs kept in DIR/reports. Parts that were not run are named as missing."""
    directory = Path(directory)
    manifest = read_manifest(directory)
    found = load_figures(directory)
    load, about = (load_network, report_network) if manifest.get("kind") == "network" else (load_model, report_core)
    model_file = load(directory / manifest["model"])
    synths = [figures for name, figures in found.items() if name.startswith("synth-")]
    headline = _headline(manifest, model_file, found, synths)
    name = html.escape(manifest["name"])
    body = [
        f"<h1>{name}</h1>",
        f'<p class="note">{html.escape(about.subtitle(manifest))}</p>',
        tiles(headline),
        "<h2>Is it right?</h2>",
        about.verification(found.get("simulate")),
        scores(found.get("eval")),
        "<h2>What does it cost?</h2>",
        *map(synthesis, synths),
        "" if synths else "<p>Not placed yet: run <code>mubinn synth</code>.</p>",
        "<h2>What does it do?</h2>",
        about.picture(model_file, found.get("eval")),
        "<h2>What is it?</h2>",
        about.description(manifest, model_file),
    ]
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        f"<title>{name} - mubinn</title><style>{_STYLE}</style></head><body>" + "\n".join(body) + "</body></html>\n"
    )
    path = directory / "report.html"
    write_text(path, page)
    return Report(path=path, headline=headline)


def _headline(manifest, model_file, found, synths):
    evaluated, simulated = found.get("eval"), found.get("simulate")
    synth = synths[0] if synths else None
    fs = model_file.preprocess.fs if model_file.preprocess else None
    return {
        "accuracy": evaluated and evaluated["accuracy"],
        "f1": evaluated and evaluated.get("f1"),
        "mismatches": simulated and simulated["mismatches"],
        "windows_simulated": simulated and simulated["windows"],
        "target": synth and synth["target"],
        "luts": synth and synth["luts"],
        "brams": synth and synth["brams"],
        "dsps": synth and synth["dsps"],
        "fmax_mhz": synth and synth["fmax_mhz"],
        "steps_per_second": synth and synth["steps_per_second"],
        "real_time_factor": round(synth["steps_per_second"] / fs, 1) if synth and fs else None,
        "cycles_per_step": manifest["predicted_cycles_per_step"],
    }

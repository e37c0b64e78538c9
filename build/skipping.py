"""What leaving out rows of g saves, measured."""

from dataclasses import replace

import numpy as np
from mubinn.model.spec import GATES
from mubinn.sim.simulate import simulate

from .generate import default_folding, generate

__all__ = ["measure", "zero_share"]

CHUNK = 64


def measure(folder, model_file, windows, chosen, *, family="generic", jobs=2, progress=lambda done, total: None):
    """Figures of a core with `skip` on windows: a row of `mubinn bench skip`.

    Parameters
    ----------
    folder : path
        For the core.
    model_file : ModelFile
    windows : mubinn.model.data.Windows
    chosen : {name: value or None}
        Fields of the folding, None for the default.
    """
    spec = model_file.spec
    folding = default_folding(spec, skip=True, weight_planes=chosen["weight_planes"])
    folding = replace(folding, **{name: value for name, value in chosen.items() if value is not None}).checked(spec)
    made = generate(model_file, folder, folding=folding, family=family)
    found = simulate(folder, windows, jobs=jobs, progress=progress)
    full = made.manifest["predicted_cycles_per_step"]
    return {
        "lanes": folding.lanes,
        "weight_planes": folding.weight_planes,
        "scale_mults": folding.scale_mults,
        "windows": found.windows,
        "steps": found.steps,
        "mismatches": found.mismatches,
        "zero_share": zero_share(model_file, windows),
        "cycles_per_step": found.cycles_per_step,
        "full_cycles_per_step": full,
        "ideal_cycles_per_step": made.manifest["ideal_cycles_per_step"],
        "saved": 1 - found.cycles_per_step / full,
    }


def zero_share(model_file, windows):
    """Share of all units and steps whose i is 0 in the golden model."""
    model, zeros, total = model_file.model(), 0, 0
    of_i = GATES.index("i")
    nothing = model.parameters.gates[of_i].values == 0
    for start in range(0, len(windows.x), CHUNK):
        x = model_file.quantize_input(windows.x[start : start + CHUNK])
        codes = model.run(x, record=("gate_code",)).gate_code[:, :, of_i]
        zeros, total = zeros + int(np.count_nonzero(nothing[codes])), total + codes.size
    return zeros / total

"""Generated cores and compiled models that the tests of the simulators share; made once for a session."""

import functools
import shutil
import tempfile
from pathlib import Path

from model_cases import random_model_file, random_samples
from mubinn.build.core_folder import read_manifest
from mubinn.build.generate import generate
from mubinn.model.folding import Folding
from mubinn.sim.case import early_last, join, make_case, missing_last

SIZES = {
    "head": {"input_size": 3, "hidden_size": 4, "classes": 2},
    "stream": {"input_size": 4, "hidden_size": 3, "classes": 0},
}
FOLDINGS = {"head": Folding(rows=1, lanes=3, scale_mults=3), "stream": Folding(rows=2, lanes=4, scale_mults=8)}


@functools.cache
def scratch():
    """A folder for the session's compiled models."""
    folder = tempfile.mkdtemp(prefix="mubinn-tests-")
    return Path(folder)


def model_file(kind):
    return random_model_file(5, max_steps=6, **SIZES[kind])


@functools.cache
def core(kind):
    """(folder, manifest) of a core with or without a head; not to be changed."""
    folder = scratch() / kind
    file = model_file(kind)
    generate(file, folder, folding=FOLDINGS[kind], x=random_samples(file.spec, 3, windows=3, steps=5))
    return folder, read_manifest(folder)


def copy_of(kind, path):
    """A folder of one's own, (folder, manifest)."""
    folder, manifest = core(kind)
    shutil.copytree(folder, path)
    return path, manifest


def plant_fault(folder, manifest):
    """One multiplication of the scaling unit becomes an addition."""
    verilog = folder / manifest["verilog"]
    text = verilog.read_text()
    product = "$signed(scaled_0_0_a) * $signed(scaled_0_0_b)"
    assert text.count(product) == 1
    verilog.write_text(text.replace(product, product.replace("*", "+")))


def broken_windows(model):
    """Whole windows with broken ones between them: `last` too early, and missing."""
    x = random_samples(model.spec, 4, windows=5, steps=model.spec.max_steps)
    return join(
        [
            make_case(model, x[:1, :4]),
            early_last(model, x[1], 2 * model.spec.input_size + 1),
            make_case(model, x[2:3, :3]),
            missing_last(model, x[3]),
            make_case(model, x[4:, :2]),
        ]
    )

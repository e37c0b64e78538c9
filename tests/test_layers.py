"""STYLE's structure: who imports whom, packages and folders, and what git must not lose."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BELOW = {"model": set(), "hw": {"model"}, "sim": {"hw", "model"}, "build": {"sim", "hw", "model"}}
FILES = sorted(path for area in BELOW for path in (ROOT / area).rglob("*.py"))
TESTS = sorted((ROOT / "tests").glob("*.py"))


def imports(path):
    """Absolute names of all modules a file imports, and of what it takes from them; relative ones resolved."""
    package = ("mubinn", *path.relative_to(ROOT).parts[:-1])
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parts = package[: len(package) - node.level + 1] if node.level else ()
            base = ".".join((*parts, *filter(None, [node.module])))
            yield base
            yield from (f"{base}.{alias.name}" for alias in node.names)


def name_of(path):
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_imports_point_down(path):
    area = path.relative_to(ROOT).parts[0]
    for name in imports(path):
        first, *rest = name.split(".")
        assert first not in BELOW, f"import {name}: only mubinn.{name}"
        if first == "mubinn" and rest:
            assert rest[0] in BELOW[area] | {area}, f"{area} may not import {name}"


@pytest.mark.parametrize("path", TESTS, ids=name_of)
def test_tests_import_mubinn_by_its_name(path):
    assert not {name.split(".")[0] for name in imports(path)} & set(BELOW)


@pytest.mark.parametrize("path", [path for path in FILES if path.relative_to(ROOT).parts[0] == "hw"], ids=name_of)
def test_hardware_never_sees_the_golden_lstm(path):
    assert not any(name.startswith(("mubinn.model.lstm", "mubinn.model.reference")) for name in imports(path))


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_module_says_what_it_is_and_what_it_offers(path):
    tree = ast.parse(path.read_text())
    assert ast.get_docstring(tree) or (path.name == "__init__.py" and not tree.body)
    for node in ast.walk(tree):
        assert not (isinstance(node, ast.ImportFrom) and any(alias.name == "*" for alias in node.names))
    for node in tree.body:
        if isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "__all__" for target in node.targets):
            names = ast.literal_eval(node.value)
            defined = {getattr(n, "name", None) for n in tree.body}
            defined |= {t.id for n in tree.body if isinstance(n, ast.Assign) for t in n.targets if hasattr(t, "id")}
            defined |= {a.asname or a.name for n in tree.body if isinstance(n, ast.ImportFrom) for a in n.names}
            assert set(names) <= defined and len(set(names)) == len(names)


def test_packages_are_the_folders():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    folders = {"mubinn." + ".".join(path.relative_to(ROOT).parts[:-1]) for path in FILES if path.name == "__init__.py"}
    settings = project["tool"]["setuptools"]
    assert sorted(settings["packages"]) == sorted(folders)
    assert settings["package-dir"] == {f"mubinn.{area}": area for area in BELOW}
    for path in FILES:
        assert (path.parent / "__init__.py").is_file(), f"{name_of(path)} is in no package"
    for area in BELOW:
        assert (ROOT / area / "py.typed").is_file()


def test_no_module_hides_as_a_program():
    assert not (ROOT / "build/__main__.py").exists()


def test_git_keeps_our_build_folder():
    def git(*arguments):
        return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=60)

    if git("rev-parse", "--git-dir").returncode:
        pytest.skip("not a git checkout")
    assert git("check-ignore", "build/cli.py").returncode == 1
    assert git("check-ignore", "out/x").returncode == 0
    assert git("ls-files", "build/cli.py").stdout.strip() == "build/cli.py"


def test_verbs_import_nothing_heavy():
    """So `mubinn --help` is fast, and a verb whose extra is missing can say so in one line."""
    verbs = sorted(path.stem for pattern in ("verb_*.py", "bench_*.py") for path in (ROOT / "build").glob(pattern))
    modules = ", ".join(f"mubinn.build.{name}" for name in ("cli", *verbs))
    code = (f"import sys, {modules}\n"
            "found = {'torch', 'cocotb', 'scipy', 'numpy', 'amaranth', 'matplotlib', 'rich'} & set(sys.modules)\n"
            "assert not found, found")  # fmt: skip
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr

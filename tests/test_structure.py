"""The house: who imports whom, how large a module is, what is declared, what documents name."""

import ast
import re
import subprocess
import sys
import tomllib
from importlib.metadata import packages_distributions
from pathlib import Path

import grimp
import pytest

REPOSITORY = Path(__file__).parent.parent
PACKAGE = REPOSITORY / "srtbench"
STUDY = REPOSITORY / "analysis"
MODULES = sorted([*PACKAGE.rglob("*.py"), *STUDY.rglob("*.py")])
LINES = 400


def test_imports_keep_the_contracts() -> None:
    code = "import sys; from importlinter.cli import lint_imports as lint; sys.exit(lint("
    code += "no_cache=True, no_logo=True))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=REPOSITORY, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_no_module_imports_itself_by_way_of_others() -> None:
    """Nor in a function: an import that must wait for another is a circle too."""
    graph = grimp.build_graph(
        "srtbench", "analysis", exclude_type_checking_imports=True, cache_dir=None
    )
    seen: set[str] = set()
    for module in sorted(graph.modules):
        for imported in graph.find_modules_directly_imported_by(module):
            if imported not in seen:
                chain = graph.find_shortest_chain(imported, module)
                assert chain is None, f"a circle: {' -> '.join((module, *chain))}"
        seen.add(module)


def test_few_modules_belong_to_everyone() -> None:
    assert len(list(PACKAGE.glob("*.py"))) <= 4


@pytest.mark.parametrize("module", MODULES, ids=lambda path: str(path.relative_to(REPOSITORY)))
def test_a_module_is_short_and_says_what_it_is(module: Path) -> None:
    text = module.read_text(encoding="utf-8")
    assert text.count("\n") <= LINES
    assert ast.get_docstring(ast.parse(text)), "a docstring: what is in it, and why"


def imported_names(module: Path) -> set[str]:
    """Top-level names of the packages that a module imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module)
    return {name.partition(".")[0] for name in found}


def distribution(requirement: str) -> str:
    """``"Jinja2>=3.1,<4"`` -> ``"jinja2"``."""
    name = re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0]
    return re.sub(r"[-_.]+", "-", name).lower()


def test_every_import_of_the_package_is_a_declared_dependency() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {distribution(one) for one in project["dependencies"]}
    extras = project["optional-dependencies"]
    optional = {
        distribution(one)
        for name in ("vllm", "ray", "slurm", "gguf", "lora", "inspect")
        for one in extras[name]
    }
    known = packages_distributions()
    names = {name for module in PACKAGE.rglob("*.py") for name in imported_names(module)}
    for name in sorted(names - {"srtbench"} - set(sys.stdlib_module_names)):
        sources = {distribution(one) for one in known.get(name, [name])}
        assert sources & (declared | optional), f"{name} is imported and not declared"


@pytest.mark.parametrize("page", ["README.md", "CONTRIBUTING.md", "docs/architecture.md"])
def test_what_a_page_names_is_there(page: str) -> None:
    text = (REPOSITORY / page).read_text(encoding="utf-8")
    folders = "|".join(("srtbench", "analysis", "tests", "docs", "scripts", "benchmarks", "sweeps"))
    quoted = re.findall(rf"`((?:{folders})/[^`*\s]*)`", text)
    linked = [link.partition("#")[0] for link in re.findall(r"\]\(([^)\s]+)\)", text)]
    local = [link for link in linked if link and "://" not in link]
    assert quoted
    for path in quoted:
        if "NAME" not in path:  # what a reader is to write
            assert (REPOSITORY / path).exists(), f"{page} names {path}"
    for link in local:
        assert ((REPOSITORY / page).parent / link).exists(), f"{page} links to {link}"

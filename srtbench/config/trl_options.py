"""Names of TRL's options, read from the source of the installed version without importing it.

Importing TRL takes seconds, and a plan must be instant. The dataclass fields stand in plain
sight in the source files, so the syntax tree is enough. A test holds the result against the
real classes; the values themselves are checked by TRL when a run starts.
"""

import ast
import functools
import importlib.util
from pathlib import Path

_CLASSES = {
    "grpo": ("trl", "trainer/grpo_config.py", "GRPOConfig"),
    "rloo": ("trl", "trainer/rloo_config.py", "RLOOConfig"),
    "sft": ("trl", "trainer/sft_config.py", "SFTConfig"),
    "dpo": ("trl", "trainer/dpo_config.py", "DPOConfig"),
}
_BASES = (
    ("trl", "trainer/base_config.py", "_BaseConfig"),
    ("transformers", "training_args.py", "TrainingArguments"),
)


@functools.cache
def trl_options(algorithm: str) -> frozenset[str]:
    """Names of all options of the config class of ``algorithm``: grpo, rloo, sft or dpo."""
    names: set[str] = set()
    for package, file, class_name in (_CLASSES[algorithm], *_BASES):
        names |= _fields(package, file, class_name)
    return frozenset(names)


@functools.cache
def _fields(package: str, file: str, class_name: str) -> frozenset[str]:
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"package '{package}' is not installed", name=package)
    source = Path(spec.origin).parent.joinpath(file).read_text(encoding="utf-8")
    for node in ast.parse(source).body:
        if isinstance(node, ast.ClassDef) and node.name == class_name:
            return frozenset(
                item.target.id
                for item in node.body
                if isinstance(item, ast.AnnAssign)
                and isinstance(item.target, ast.Name)
                and "init=False" not in ast.unparse(item).replace(" ", "")
            )
    raise LookupError(f"no class {class_name} in {package}/{file}")

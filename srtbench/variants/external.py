"""Variants from outside: a class in a user's file, or an entry point of an installed package."""

import hashlib
import importlib.metadata
import importlib.util
import sys
from pathlib import Path

from srtbench.config.variants import ENTRY_POINTS, PluginConfig, PythonConfig
from srtbench.variants.base import Variant, VariantError


def load_class(config: PythonConfig | PluginConfig) -> type[Variant]:
    """The class that an entry names.

    Raises:
        VariantError: no such file, class or entry point, it fails on import, or the class is no
            `srtbench.variants.Variant`.
    """
    if isinstance(config, PluginConfig):
        found = importlib.metadata.entry_points(group=ENTRY_POINTS, name=config.plugin)
        if not found:
            raise VariantError(f"no installed package has the variant '{config.plugin}'")
        return _checked(next(iter(found)).load(), config.plugin)
    file, _, name = config.path.rpartition(":")
    return _checked(getattr(_module(Path(file)), name, None), config.path)


def source_sha256(file: Path) -> str:
    """SHA-256 of a variant's file as it is now, in hexadecimal digits.

    Raises:
        VariantError: it cannot be read.
    """
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise VariantError(f"variant file '{file}' cannot be read: {error.strerror}") from error


def _module(file: Path) -> object:
    name = f"srtbench_user_{file.stem}_{source_sha256(file)[:12]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = importlib.util.spec_from_file_location(name, file)
    if spec is None or spec.loader is None:
        raise VariantError(f"variant file '{file}' is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        del sys.modules[name]
        raise VariantError(f"variant file '{file}' fails: {error}") from error
    return module


def _checked(found: object, where: str) -> type[Variant]:
    if not (isinstance(found, type) and issubclass(found, Variant)):
        raise VariantError(f"'{where}' is no subclass of srtbench.variants.Variant")
    return found

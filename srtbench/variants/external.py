"""Variants from outside: a class in a user's file, or an entry point of an installed package."""

from __future__ import annotations

import difflib
import hashlib
import importlib.metadata
import importlib.util
import sys
from abc import ABC, abstractmethod
from pathlib import Path
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import Field, ValidationError, model_validator

from srtbench.sections import FilePath
from srtbench.variants.base import Variant, VariantError, VariantOptions

ENTRY_POINTS = "srtbench.variants"
"""Group of entry points that packages put variant classes into."""

VariantClass: TypeAlias = type[Variant]


class ExternalOptions(VariantOptions, ABC):
    """Where a class from outside is, and what it is given.

    A class that nests a ``Config`` of its own gets one, made of ``options``; another gets the
    entry, and reads ``self.config.options``.
    """

    options: dict[str, Any] = Field(default_factory=dict, description="what the class is given")

    @property
    @abstractmethod
    def class_name(self) -> str:
        """Name of the class, or of its entry point."""

    @abstractmethod
    def load(self) -> VariantClass:
        """The class.

        Raises:
            VariantError: no such file, class or entry point, it fails on import, or the class is
                no `srtbench.variants.Variant`.
        """


class PythonOptions(ExternalOptions):
    """A class in a Python file of the user. Its source is part of the run id."""

    type: Literal["python"] = "python"
    path: Annotated[str, FilePath()] = Field(
        pattern=r"^.+\.py:[A-Za-z_]\w*$", description="FILE.py:CLASS, relative to the sweep file"
    )

    @property
    def class_name(self) -> str:
        """Name of the class."""
        return self.path.rpartition(":")[2]

    def load(self) -> VariantClass:
        """The class in the file."""
        file, rest = FilePath.split(self.path)
        if not file.is_file():
            raise VariantError(f"file '{file}' not found")
        module, name = vars(_module(file)), rest[1:]
        if name not in module:
            names = [key for key, value in module.items() if _is_own(value, module["__name__"])]
            near = difflib.get_close_matches(name, names, n=1)
            hint = f"; did you mean '{near[0]}'?" if near else "."
            raise VariantError(
                f"'{self.path}' is no subclass of srtbench.variants.Variant: there is no "
                f"'{name}' in the file{hint} Variants in it: {', '.join(names) or 'none'}"
            )
        return _checked(module[name], self.path)


class PluginOptions(ExternalOptions):
    """A class that an installed package offers under the entry point group `srtbench.variants`."""

    type: Literal["plugin"] = "plugin"
    plugin: str = Field(min_length=1, description="name of the entry point")
    distribution: str = Field("", description="package and version; filled in when read")

    @model_validator(mode="before")
    @classmethod
    def _find(cls, content: Any) -> Any:
        if not isinstance(content, dict) or content.get("distribution"):
            return content
        found = importlib.metadata.entry_points(group=ENTRY_POINTS)
        for entry in found:
            if entry.name == content.get("plugin") and entry.dist is not None:
                return content | {"distribution": f"{entry.dist.name} {entry.dist.version}"}
        names = ", ".join(sorted(entry.name for entry in found)) or "none"
        raise ValueError(f"no installed package has this variant; installed: {names}")

    @property
    def class_name(self) -> str:
        """Name of the entry point."""
        return self.plugin

    def load(self) -> VariantClass:
        """The class of the entry point."""
        found = importlib.metadata.entry_points(group=ENTRY_POINTS, name=self.plugin)
        if not found:
            raise VariantError(f"no installed package has the variant '{self.plugin}'")
        try:
            return _checked(next(iter(found)).load(), self.plugin)
        except (ImportError, AttributeError) as error:
            raise VariantError(f"the package of variant '{self.plugin}' fails: {error}") from error


def options_of(variant: VariantClass, entry: ExternalOptions) -> VariantOptions:
    """The options as the class wants them.

    Raises:
        ValidationError: they are not what its ``Config`` allows.
    """
    if variant.Config is VariantOptions:
        return entry
    return variant.Config.model_validate(entry.options)


def resolve(entry: ExternalOptions) -> tuple[VariantClass, VariantOptions]:
    """The class that an entry names, and its options.

    Raises:
        VariantError: the class cannot be loaded, or the options are not what it allows.
    """
    variant = entry.load()
    try:
        return variant, options_of(variant, entry)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, ("options", *first["loc"])))
        raise VariantError(f"variant '{entry.class_name}': {where}: {first['msg']}") from error


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
    except BaseException as error:
        sys.modules.pop(name, None)
        if isinstance(error, KeyboardInterrupt):
            raise
        reason = error if isinstance(error, Exception) else f"{type(error).__name__}({error})"
        raise VariantError(f"variant file '{file}' fails: {reason}") from error
    return module


def _is_own(value: object, module: str) -> bool:
    """Whether it is a variant that the file itself defines."""
    return isinstance(value, type) and issubclass(value, Variant) and value.__module__ == module


def _checked(found: object, where: str) -> VariantClass:
    if not (isinstance(found, type) and issubclass(found, Variant)):
        raise VariantError(f"'{where}' is no subclass of srtbench.variants.Variant")
    if not issubclass(found.Config, VariantOptions):
        raise VariantError(f"'{where}': its Config is no srtbench.variants.VariantOptions")
    return found

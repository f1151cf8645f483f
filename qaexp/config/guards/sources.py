"""Where Hydra reads YAML files, looked at first: what cannot be a config is refused by name and line, at once."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import yaml
from hydra._internal.core_plugins import file_config_source, importlib_resources_config_source
from hydra._internal.sources_registry import SourcesRegistry
from hydra.core.plugins import Plugins
from hydra.plugins.config_source import ConfigResult

from qaexp.config.checks.texts import yaml_problems
from qaexp.config.guards.targets import ALLOW_YOURS, users_prefixes
from qaexp.errors import ConfigError, IntegrityError

MAX_BYTES = 256 * 1024
# Keys, values and interpolations of a file once its aliases are written out: a few lines can expand to billions.
MAX_NODES = 2_000
MAX_DEPTH = 50
# Hydra's own files, and those of its plugins, which it imports at every start.
_PACKAGES = ("hydra.conf.", "hydra_plugins.")
# libyaml where PyYAML has it: both parse without recursion, and this one 20 times faster.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class FileConfigSource(file_config_source.FileConfigSource):
    """Hydra's reader of files with a look at each file before it is loaded; the registry goes by the class's name."""

    def load_config(self, config_path: str) -> ConfigResult:
        """Load a file of a config folder.

        Raises:
            ConfigError: The file is not a config.
        """
        path = Path(self.path, self._normalize_file_name(config_path))
        if path.is_file():
            status = path.stat()
            check_yaml_file(path, status.st_mtime_ns, status.st_size)
        try:
            found = super().load_config(config_path)
            package = found.header.get("package") or config_path.rpartition("/")[0]
            check_texts(path, _dotted(package), status.st_mtime_ns if path.is_file() else 0)
        except yaml.YAMLError as error:
            raise not_yaml(path, error) from error
        return found


class ImportlibResourcesConfigSource(importlib_resources_config_source.ImportlibResourcesConfigSource):
    """Hydra's reader of packages, which imports them: none that a config could bring along."""

    def __init__(self, provider: str, path: str) -> None:
        """Take who asks for it, and the package.

        Raises:
            IntegrityError: It is not a package that a config may have imported.
        """
        super().__init__(provider, path)
        if not f"{self.path}.".startswith((*_PACKAGES, *users_prefixes())):
            raise IntegrityError(
                f"pkg://{self.path} in hydra.searchpath is refused: it would be imported; give its folder as "
                f"file:///path, or {ALLOW_YOURS}"
            )


def register_sources() -> None:
    """Let Hydra read all config folders and packages (conf/, --config-dir, hydra.searchpath) through these readers."""
    Plugins.instance()  # registers Hydra's own sources
    types = SourcesRegistry.instance().types
    types["file"], types["pkg"] = FileConfigSource, ImportlibResourcesConfigSource


@lru_cache
def check_yaml_file(path: Path, changed_ns: int, size: int) -> None:
    """Refuse a file that would be costly or impossible to load.

    Args:
        path: The file.
        changed_ns: When it was changed last, so that a file is looked at once.
        size: Its bytes.

    Raises:
        ConfigError: It is too large, not UTF-8, not YAML, nested too deeply, or not a mapping at its top.
    """
    if size > MAX_BYTES:
        raise ConfigError(
            f"{path} has {size} bytes, and a config file may have {MAX_BYTES}; put texts and data into files of their "
            "own, and their paths into the config"
        )
    try:
        content = path.read_bytes()
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError(f"{path}: line {line} is not UTF-8 ({error.reason}); save the file as UTF-8") from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read ({error.strerror}); check its permissions") from error
    try:
        _check_nodes(path, text)
    except yaml.YAMLError as error:
        raise not_yaml(path, error) from error


@lru_cache
def check_texts(path: Path, package: str, changed_ns: int) -> None:
    """Refuse a file in which a text is a number for YAML that is written back in another spelling.

    Args:
        path: The file.
        package: Where its content is in the config, dotted; empty for the top.
        changed_ns: When it was changed last, so that a file is looked at once.

    Raises:
        ConfigError: With all such texts, or it is not YAML.
    """
    try:
        problems = list(yaml_problems(path, package, path.read_text("utf-8-sig")))
    except yaml.YAMLError as error:
        raise not_yaml(path, error) from error
    if problems:
        raise ConfigError(*problems)


def _dotted(package: str) -> str:
    """Return the place of a package in the config: `_global_` is the top, a group the key of its name."""
    parts = package.replace("/", ".").split(".")
    return ".".join(part for part in parts if part not in ("_global_", ""))


def _check_nodes(path: Path, text: str) -> None:
    """Count nodes and depth from the parser's events, with every alias counted as all that it expands to."""
    sizes: dict[str, int] = {}
    open_nodes: list[tuple[str | None, int]] = []
    total, is_top = 0, True
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionEndEvent):
            anchor, before = open_nodes.pop()
            sizes |= {anchor: total - before} if anchor else {}
            continue
        if not isinstance(event, yaml.NodeEvent):
            continue
        if is_top and not (isinstance(event, yaml.MappingStartEvent) or getattr(event, "value", None) == ""):
            raise ConfigError(f"{path} holds no mapping; write `key: value` lines")
        is_top = False
        if isinstance(event, yaml.AliasEvent):
            if any(event.anchor == anchor for anchor, _ in open_nodes):
                raise ConfigError(f"{_place(path, event)}: *{event.anchor} is inside itself; write out what is meant")
            total += sizes.get(event.anchor or "", 1)
        else:
            # The parser of interpolations takes a millisecond for twenty.
            size = 1 + event.value.count("${") if isinstance(event, yaml.ScalarEvent) else 1
            if isinstance(event, yaml.CollectionStartEvent):
                open_nodes.append((event.anchor, total))
            elif event.anchor:
                sizes[event.anchor] = size
            total += size
        if total > MAX_NODES or len(open_nodes) > MAX_DEPTH:
            what = f"more than {MAX_NODES} keys and values" if total > MAX_NODES else f"more than {MAX_DEPTH} levels"
            raise ConfigError(
                f"{_place(path, event)}: the file has {what} (aliases counted as what they stand for, interpolations "
                "too); shorten it"
            )


def _place(path: Path, event: yaml.Event) -> str:
    return f"{path}: line {event.start_mark.line + 1}" if event.start_mark else str(path)


def not_yaml(path: Path, error: yaml.YAMLError) -> ConfigError:
    """Where a YAML file is wrong, and why: not readable, a key twice, or a tag that would build an object."""
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark is not None:
        mark = error.problem_mark
        where, reason = f"{path}: line {mark.line + 1}, column {mark.column + 1}", str(error.problem)
    else:
        where, reason = str(path), " ".join(str(getattr(error, "reason", None) or error).split())
    if "nesting depth" in reason:
        # Newer parsers stop by themselves, far beyond what a config may have.
        reason = f"it has more than {MAX_DEPTH} levels"
    hint = " (indent with spaces)" if "\\t" in reason or "\t" in reason else ""
    return ConfigError(f"{where}: this is not YAML that a config may hold: {reason.strip()}{hint}; correct the file")

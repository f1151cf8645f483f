"""Whether the files of a run are those that it wrote, told from the small files that vouch for them."""

from __future__ import annotations

from collections.abc import Sequence

from qaexp.errors import IntegrityError
from qaexp.runs.directory import CONFIG, MANIFEST, SUMMARY
from qaexp.runs.manifest import read_manifest, sha256_of
from qaexp.runs.readers.collect import RunFiles


def is_edited(run: RunFiles) -> bool:
    """Whether summary.json has other bytes than run.json says; of runs that do not say it nothing is known.

    Raises:
        OSError: It cannot be read.
    """
    told = run.run.get("summary_sha256")
    return told is not None and sha256_of(run.path / SUMMARY) != told


def is_config_edited(run: RunFiles) -> bool:
    """Whether config.json has other bytes than the run's manifest says; False where nothing is known.

    Raises:
        OSError: It cannot be read.
    """
    return bool(changed_files(run, (CONFIG,)))


def changed_files(run: RunFiles, names: Sequence[str]) -> list[str]:
    """Those of some files that stand with other bytes than the manifest says.

    Args:
        run: The run; where its manifest is missing, cannot be read, or is not the one of its summary, no file is named.
        names: Files that a manifest covers.

    Raises:
        OSError: One of them cannot be read.
    """
    try:
        told = (run.summary or {}).get("manifest_sha256")
        if told is not None and sha256_of(run.path / MANIFEST) != told:
            return []
        files = read_manifest(run.path)
    except (FileNotFoundError, IntegrityError):
        return []
    return [
        name
        for name in names
        if name in files and (run.path / name).is_file() and sha256_of(run.path / name) != files[name]["sha256"]
    ]

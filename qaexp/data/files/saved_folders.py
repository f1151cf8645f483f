"""Folders that `datasets` saved (`save_to_disk`): which files hold their rows, told before it opens any of them.

`state.json` names the files. It may have come with the folder from anywhere, so only plain names in that folder count.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from qaexp.errors import DataError, IntegrityError
from qaexp.storage.reading import read_json

_STATE, _INFO, _DICT = "state.json", "dataset_info.json", "dataset_dict.json"
_AGAIN = "save the data set again with save_to_disk"
# Under these names older versions kept a choice of rows beside the table.
_INDICES = ("_indices_data_files", "_indices_files")
_MAX_SPLITS = 20


def is_saved_dict(path: Path) -> bool:
    """Whether it is a folder with several splits."""
    return _has(path, _DICT)


def is_saved(path: Path) -> bool:
    """Whether it is a folder with one split, or what is left of one."""
    return _has(path, _STATE) or _has(path, _INFO)


def refuse_saved_dict(folder: Path) -> list[Path]:
    """Refuse a folder with several splits: which one is meant it does not say.

    Raises:
        DataError: With the folders of its splits.
    """
    try:
        names = sorted(entry.name for entry in folder.iterdir() if is_saved(entry))
    except OSError as error:
        raise DataError(f"{folder} cannot be read: {error.strerror}; check the path and its permissions.") from error
    if not names:
        raise DataError(f"{folder} has a {_DICT}, and no folder of a split beside it; {_AGAIN}.")
    shown = ", ".join(names[:_MAX_SPLITS])
    raise DataError(f"{folder} holds the splits {shown}; give the folder of one, for example {folder / names[0]}.")


def saved_files(folder: Path) -> list[Path]:
    """Return the files of a saved split, as `state.json` lists them.

    Raises:
        DataError: `state.json` is missing or damaged, or lists no files, or a file is not there.
        IntegrityError: It lists a file that is not in the folder.
    """
    state, file = _state(folder), folder / _STATE
    names = _listed(state.get("_data_files"))
    if not names:
        raise DataError(f"{file} does not list the Arrow files of the split (_data_files); {_AGAIN}.")
    if wrong := next((name for name in names if Path(name).name != name), None):
        raise IntegrityError(f"{file} lists {wrong[:100]!a}, which is not a plain name in its folder; refused")
    if any(state.get(key) for key in _INDICES):
        raise DataError(f"{file} chooses rows by an index beside the table; {_AGAIN}.")
    if len(set(names)) < len(names):
        raise DataError(f"{file} lists a file twice; {_AGAIN}.")
    if absent := [name for name in names if not (folder / name).exists()]:
        raise DataError(f"{folder} lacks {', '.join(absent[:3])}, listed in its {_STATE}; bring it back, or {_AGAIN}.")
    return [folder / name for name in names]


def _listed(entries: Any) -> list[str]:
    """The names of Arrow files in a list of `state.json`; none where it is no such list."""
    values = [entry.get("filename") if isinstance(entry, dict) else None for entry in _items(entries)]
    names = [value for value in values if isinstance(value, str) and value.endswith(".arrow")]
    return names if len(names) == len(values) else []


def _state(folder: Path) -> dict[str, Any]:
    try:
        return read_json(folder / _STATE)
    except FileNotFoundError:
        raise DataError(f"{folder} has no {_STATE}, so it was not saved whole; {_AGAIN}.") from None
    except IntegrityError as error:
        raise DataError(f"{error}; {_AGAIN}.") from error


def _items(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _has(path: Path, name: str) -> bool:
    try:
        return (path / name).is_file()
    except OSError:
        return False

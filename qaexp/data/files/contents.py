"""What a file is by its content, where its name says something else: told before a parser trips over it."""

from __future__ import annotations

from pathlib import Path

from qaexp.data.files.compression import suffix_of
from qaexp.data.files.encodings import wide_encoding
from qaexp.errors import DataError

READ = "SQuAD JSON, JSON lines, CSV, TSV, parquet and Arrow streams are read (docs/data_formats.md)"
BINARY_SUFFIXES = (".parquet", ".arrow")
# How a file begins, what it is, and the way out.
_BEGINNINGS: tuple[tuple[bytes, str, str], ...] = (
    (b"\x1f\x8b", "compressed with gzip", "run `gunzip` on it first"),
    (b"BZh", "compressed with bzip2", "run `bunzip2` on it first"),
    (b"\xfd7zXZ\0", "compressed with xz", "run `unxz` on it first"),
    (b"\x28\xb5\x2f\xfd", "compressed with zstd", "run `unzstd` on it first, or let its name end in .zst"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive", "unpack it, and give a file that is in it"),
    (b"Rar!", "a rar archive", "unpack it, and give a file that is in it"),
    (b"%PDF", "a PDF document", "questions and answers cannot be read out of it; give a data file"),
    (b"\xd0\xcf\x11\xe0", "a document of an old Office program", "save the table as CSV (UTF-8)"),
    (b"SQLite format 3\0", "an SQLite database", "export the table as CSV"),
    (b"ARROW1", "an Arrow file (Feather), and only Arrow streams are read", "save it as parquet"),
    (b"version https://git-lfs", "a pointer of Git LFS, not the data", "run `git lfs pull` where it comes from"),
    (b"\x89PNG", "a picture", "give a data file"),
    (b"\x89HDF", "an HDF5 file", "export the table as CSV or parquet"),
    (b"\x80\x02", "a Python pickle, which is never opened", "save the rows as JSON lines"),
    (b"\x80\x03", "a Python pickle, which is never opened", "save the rows as JSON lines"),
    (b"\x80\x04", "a Python pickle, which is never opened", "save the rows as JSON lines"),
    (b"\x80\x05", "a Python pickle, which is never opened", "save the rows as JSON lines"),
    (b"\xc3\xaf\xc2\xbb\xc2\xbf", "text that was encoded twice (it begins so)", "export it again as UTF-8"),
    (b"Obj\x01", "an Avro file", "save the rows as JSON lines or parquet"),
)
_LOOKED_AT = 4096


def check_content(path: Path, content: bytes) -> None:
    """Refuse a file that is plainly something else than its suffix says, or than anything that is read.

    Raises:
        DataError: With what it is, and what to do.
    """
    found = _what(path, content)
    if found is not None:
        what, way_out = found
        raise DataError(f"{path} is {what}; {way_out}. {READ}.")


def _what(path: Path, content: bytes) -> tuple[str, str] | None:
    """What a file is and the way out; None for what may be read."""
    is_binary = suffix_of(path) in BINARY_SUFFIXES
    for beginning, what, way_out in _BEGINNINGS:
        # What is wrong with an Arrow file that is called so, its reader knows better.
        if content.startswith(beginning) and not (is_binary and beginning == b"ARROW1"):
            return what, way_out
    if content[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
        return _zipped(content)
    if not is_binary and (name := wide_encoding(content)) is not None:
        return f"{name[:6]} text from line 1, column 1 on, not UTF-8", f"save it as UTF-8 (iconv -f {name} -t UTF-8)"
    if content[257:262] == b"ustar":
        return "a tar archive", "unpack it, and give a file that is in it"
    if content[:4] == b"PAR1" and suffix_of(path) != ".parquet":
        return "a parquet file by its content", "give it a name that ends in .parquet"
    if content[:4] == b"\xff\xff\xff\xff" and not is_binary:
        return "an Arrow stream by its content", "give it a name that ends in .arrow"
    return _marked_up(content)


def _zipped(content: bytes) -> tuple[str, str]:
    """An archive, or one of the many documents that are one."""
    names = content[:_LOOKED_AT] + content[-4 * _LOOKED_AT :]
    if b"xl/" in names:
        return "an Excel workbook (xlsx)", "save its sheet as CSV (UTF-8)"
    if b"word/" in names or b"opendocument" in names:
        return "an office document", "save its table as CSV (UTF-8)"
    if b"data.pkl" in names or b".npy" in names:
        return "an archive of arrays", "save the rows as JSON lines or parquet"
    return "a zip archive", "unpack it (`unzip`), and give a file that is in it"


def _marked_up(content: bytes) -> tuple[str, str] | None:
    """A web page that was saved in the place of the file that it shows, and other markup."""
    head = content[:_LOOKED_AT].removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if head.startswith((b"<!doctype html", b"<html", b"<head", b"<!--", b"<body")):
        return "a web page (HTML), not the data", "download the file itself (the raw file), not the page that shows it"
    if head.startswith(b"<"):
        return "XML or other markup", "export the questions as JSON or CSV"
    return None


def looks_like_json(text: str) -> bool:
    """Whether a text begins as a JSON object or list does.

    >>> looks_like_json(' [1]'), looks_like_json("id,question")
    (True, False)
    """
    return text[:_LOOKED_AT].lstrip()[:1] in ("{", "[")

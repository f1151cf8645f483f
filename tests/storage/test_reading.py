"""Records come back whole from files that a kill, an editor or a bad disk has touched."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from qaexp.errors import IntegrityError
from qaexp.storage import reading


@pytest.mark.parametrize(
    ("content", "steps", "num_torn", "num_repeated"),
    [
        (b'{"step": 1}\n{"step": 2}\n', [1, 2], 0, 0),
        (b'{"step": 1}\n{"step": 2', [1], 1, 0),
        (b'{"step": 1}\n{"st\n{"step": 2}\n', [1, 2], 1, 0),
        (b'{"step": 1}\r\n{"step": 2}\r\n', [1, 2], 0, 0),
        (b'\xef\xbb\xbf{"step": 1}\n', [1], 0, 0),
        (b'{"step": 1}\n' + bytes(4096) + b'{"step": 2}\n', [1, 2], 0, 0),
        (b'{"step": 1}\n{"ste' + bytes(10) + b'p": 2}\n', [1], 1, 0),
        (b'{"step": 1}\n{"step": 2, "a": 1}\n{"step": 2, "a": 2}\n{"step": 3}', [1, 2, 3], 0, 1),
        (b'[1]\n{"loss": 1}\n\xff\n{"step": 1}\n' + b"[" * 100_000 + b"\n", [1], 4, 0),
        (b"", [], 0, 0),
    ],
)
def test_torn_and_repeated_records_are_counted(
    tmp_path: Path, content: bytes, steps: list[int], num_torn: int, num_repeated: int
) -> None:
    (tmp_path / "a").write_bytes(content)
    records = reading.read_json_lines(tmp_path / "a", "step")
    assert [row["step"] for row in records.rows] == steps
    assert (records.num_torn, records.num_repeated) == (num_torn, num_repeated)


def test_of_a_repeated_step_the_last_attempt_counts(tmp_path: Path) -> None:
    (tmp_path / "a").write_text('{"step": 1, "loss": 1}\n{"step": 1, "loss": 2}\n')
    assert reading.read_json_lines(tmp_path / "a", "step").rows == [{"step": 1, "loss": 2}]


def test_cells_are_numbers_but_in_text_columns(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("epoch,f1,probe_0\n1,0.1,'=1\n2,,7\n")
    assert reading.read_table(tmp_path / "a", ("probe_",)) == [
        {"epoch": 1, "f1": 0.1, "probe_0": "=1"},
        {"epoch": 2, "f1": None, "probe_0": "7"},
    ]


@pytest.mark.parametrize("content", [b"[1]", b"{", b"\xff", b"[" * 100_000, b'{"a": ' + b"1" * 5000 + b"}"])
def test_what_is_no_json_object_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "a").write_bytes(content)
    with pytest.raises(IntegrityError, match="a: "):
        reading.read_json(tmp_path / "a")


@pytest.mark.parametrize("kind", ["pipe", "folder", "link", "loop", "device", "sparse"])
def test_what_is_no_sane_file_is_refused_at_once(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a"
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "sparse":
        path.touch()
        os.truncate(path, 5 * 2**30)
    else:
        path.symlink_to({"link": "/etc/passwd", "loop": path, "device": "/dev/zero"}[kind])
    with pytest.raises(IntegrityError, match=r"refused|cannot be read"):
        reading.read_bytes(path)

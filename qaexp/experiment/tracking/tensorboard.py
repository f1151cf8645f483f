"""The tracker TensorBoard: event files in the run directory, or in a folder beside the runs."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from qaexp.experiment.tracking.about import About
from qaexp.experiment.tracking.numbers import units_text
from qaexp.experiment.tracking.packaged import ComparisonTable, PackagedTracker, Point, Seen, package
from qaexp.runs.directory import TENSORBOARD
from qaexp.storage.folders import make_directory, remove

# Width and height stand in the first bytes of a PNG file.
_PNG_SIZE = struct.Struct(">16xII")


class TensorBoard(PackagedTracker):
    """Writes TensorBoard's event files into the run directory: `tensorboard --logdir outputs` shows them.

    Scalars by step are under `train/`, `speed/`, `epoch/`, `dev/` and `summary/`; the config, the units, the probe
    answers and the comparison of a sweep are texts.
    """

    def __init__(self, *, flush_seconds: int = 10, folder: str | None = None) -> None:
        """Take the seconds between two writes to the file, and where files go: None: into each run directory."""
        self._flush_seconds, self._folder = flush_seconds, None if folder is None else Path(folder).absolute()
        self._beside = Path(TENSORBOARD).absolute()

    def comparison(self, table: ComparisonTable) -> None:
        """Write the table as a text into a folder of its own, beside the runs."""
        self._import()
        place = (self._folder or self._beside) / table.sweep.resolve().name / "comparison"
        remove(place)
        self._create(place)
        self._text("comparison", table.markdown, 0, datetime.now(UTC))
        self._writer.close()

    def _import(self) -> None:
        self._events = package("tensorboard.compat.proto.event_pb2", "tensorboard")
        self._summaries = package("tensorboard.compat.proto.summary_pb2", "tensorboard")

    def _create(self, place: Path) -> None:
        make_directory(place)
        module = package("tensorboard.summary.writer.event_file_writer", "tensorboard")
        self._writer = module.EventFileWriter(str(place), flush_secs=self._flush_seconds)

    def _open(self, about: About, step: int) -> Seen:
        self._import()
        place = about.directory / TENSORBOARD if self._folder is None else self._folder / about.place
        # Whatever an earlier attempt wrote, all or a part of it: what the run's files hold up to `step` follows.
        remove(place)
        self._create(place)
        self._text("config", _as_table(about.parameters), 0, about.started)
        self._text("units", units_text().replace("\n", "\n\n"), 0, about.started)
        return Seen()

    def _send(self, points: Sequence[Point]) -> None:
        for point in points:
            values = [
                self._summaries.Summary.Value(tag=name, simple_value=number) for name, number in point.numbers.items()
            ]
            self._add(values, point.step, point.at)

    def _tell(self, texts: Mapping[str, str], step: int) -> None:
        for name, text in texts.items():
            self._text(name, _verbatim(text), step, self._about.time_at(self._seconds))

    def _show(self, files: Sequence[Path], step: int) -> None:
        for file in files:
            data = file.read_bytes()
            width, height = _PNG_SIZE.unpack_from(data)
            image = self._summaries.Summary.Image(height=height, width=width, colorspace=4, encoded_image_string=data)
            value = self._summaries.Summary.Value(tag=f"plots/{file.stem}", image=image)
            self._add([value], step, self._about.time_at(self._seconds))

    def _close(self, *, is_completed: bool, at: datetime) -> None:
        self._writer.close()

    def _text(self, name: str, text: str, step: int, at: datetime) -> None:
        tensors = package("tensorboard.compat.proto.tensor_pb2", "tensorboard")
        shapes = package("tensorboard.compat.proto.tensor_shape_pb2", "tensorboard")
        types = package("tensorboard.compat.proto.types_pb2", "tensorboard")
        shape = shapes.TensorShapeProto(dim=[shapes.TensorShapeProto.Dim(size=1)])
        tensor = tensors.TensorProto(dtype=types.DT_STRING, string_val=[text.encode()], tensor_shape=shape)
        plugin = self._summaries.SummaryMetadata.PluginData(plugin_name="text")
        metadata = self._summaries.SummaryMetadata(plugin_data=plugin)
        value = self._summaries.Summary.Value(tag=f"{name}/text_summary", metadata=metadata, tensor=tensor)
        self._add([value], step, at)

    def _add(self, values: Sequence[Any], step: int, at: datetime) -> None:
        summary = self._summaries.Summary(value=values)
        self._writer.add_event(self._events.Event(wall_time=at.timestamp(), step=step, summary=summary))


def _as_table(config: Mapping[str, Any]) -> str:
    """Settings by dotted key as a Markdown table."""
    rows = [f"| {key} | {_verbatim(value)} |" for key, value in config.items()]
    return "\n".join(["| key | value |", "| --- | --- |", *rows])


def _verbatim(value: Any) -> str:
    """A value in a Markdown code span, without characters that would end the span or the table cell."""
    return "`" + " ".join(str(value).replace("`", "'").replace("|", "¦").split()) + "`"

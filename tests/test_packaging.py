"""A built wheel works as a checkout does: it carries conf/, the demo data, the tiny model and the page's template."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests import REPOSITORY

TINY = ["model=tiny_random", "data.train_size=8", "data.dev_size=8", "trainer.epochs=1", "reporter.plots=false"]


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the unpacked wheel and nothing of the checkout."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(REPOSITORY)]
    subprocess.run(build, check=True, capture_output=True)
    (wheel,) = folder.glob("qaexp-*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def run(installed: Path, cwd: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONPATH": str(installed)}
    return subprocess.run(
        [sys.executable, "-m", "qaexp", *words], cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )


def test_the_wheel_holds_what_is_not_python(installed: Path) -> None:
    for name in ("_conf/config.yaml", "_conf/model/minilm.yaml", "data/demo/train.json", "tiny_random/config.json",
                 "reporting/page/page.html.jinja", "serve/page/page.html", "serve/page/serve.js",
                 "serve/page/serve.css", "serve/page/icon.svg", "board/page/page.html",
                 "board/page/board.js", "board/page/curves.js", "board/page/board.css", "board/page/told.html",
                 "board/page/icon.svg", "py.typed"):  # fmt: skip
        assert (installed / "qaexp" / name).is_file(), name


def test_a_wheel_trains_from_any_directory(installed: Path, tmp_path: Path) -> None:
    where = subprocess.run(
        [sys.executable, "-c", "import qaexp; print(qaexp.__file__)"],
        cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(installed)}, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert where.stdout.strip() == str(installed / "qaexp" / "__init__.py")
    done = run(installed, tmp_path, "train", "name=wheel", *TINY)
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "outputs" / "wheel" / "summary.json").read_text("utf-8"))
    assert summary["num_train_examples"] == 8

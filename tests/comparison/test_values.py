"""Which numbers and runs count: the same ones in the headline, the means, the tests and every output."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from qaexp.comparison import paper
from qaexp.comparison.best import best_run
from qaexp.comparison.compare import Comparison, Options, compare
from qaexp.comparison.document import document
from qaexp.comparison.figure_data import figure_data
from qaexp.comparison.report import page
from qaexp.errors import ConfigError
from qaexp.reporting.console import RunConsole
from tests.comparison.test_terminal import printed
from tests.fixtures.compared import edit, scores, write_grid, write_run

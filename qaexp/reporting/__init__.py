"""Pictures, tables and the page of a run, made from its files alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from qaexp.nodes import face

__all__ = ["Reporter"]

if TYPE_CHECKING:
    from qaexp.reporting.reporter import Reporter

__getattr__, __dir__ = face(__name__, {"Reporter": "qaexp.reporting.reporter"})

"""Python imports this module at its start where its folder is on PYTHONPATH: every such process has the stand-in."""

from tests.stand_in.device import register

register()

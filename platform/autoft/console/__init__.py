"""What the user sees: the only package that prints."""

from autoft.console.check import show_check
from autoft.console.error import show_error
from autoft.console.formats import show_formats
from autoft.console.places import show_places
from autoft.console.result import show_result
from autoft.console.screen import Screen
from autoft.console.tables import show_leaderboard, show_runs

__all__ = ["Screen", "show_check", "show_error", "show_formats", "show_leaderboard", "show_places", "show_result", "show_runs"]

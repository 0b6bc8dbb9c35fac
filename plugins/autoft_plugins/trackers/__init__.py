"""Trackers: one a file. Their libraries are imported in the tracker's own thread, as the run starts."""

from __future__ import annotations

from autoft.interfaces.tracker import Tracker
from autoft_plugins.trackers.json_lines import JsonLines
from autoft_plugins.trackers.ml_flow import MLflow
from autoft_plugins.trackers.tensor_board import TensorBoard
from autoft_plugins.trackers.weights_and_biases import WeightsAndBiases

TRACKERS: tuple[Tracker, ...] = (JsonLines(), MLflow(), TensorBoard(), WeightsAndBiases())

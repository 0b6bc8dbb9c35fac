"""Answers from a bundle: numpy, onnxruntime and nothing heavier."""

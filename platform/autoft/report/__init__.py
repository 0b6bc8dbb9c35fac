"""What a run leaves to be read: report.html and the model card."""

from autoft.report.card import model_card
from autoft.report.data import Confusion, Mistake, ProofTable, ReportData, StageTime, confident_mistakes
from autoft.report.page import write_report

__all__ = ["Confusion", "Mistake", "ProofTable", "ReportData", "StageTime", "confident_mistakes", "model_card", "write_report"]

"""What a run leaves to be read: report.html and the model card."""

from autoft.report.card import model_card
from autoft.report.data import Confusion, Marked, Mistake, ProofTable, ReportData, Span, StageTime, Tally
from autoft.report.findings import Outcome, class_counts, findings
from autoft.report.outlook import rows_in_words, time_in_words
from autoft.report.page import write_report

__all__ = [
    "Confusion",
    "Marked",
    "Mistake",
    "Outcome",
    "ProofTable",
    "ReportData",
    "Span",
    "StageTime",
    "Tally",
    "class_counts",
    "findings",
    "model_card",
    "rows_in_words",
    "time_in_words",
    "write_report",
]

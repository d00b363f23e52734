"""What the model is worth: metrics with intervals, before and after, and what went wrong."""

from allrounder.evaluation.judge import judge
from allrounder.evaluation.judged import Judged
from allrounder.evaluation.page import render_card, render_html
from allrounder.evaluation.report import MetricReport, Report, TaskReport
from allrounder.evaluation.score import Score
from allrounder.evaluation.sharing import Sharing
from allrounder.evaluation.writing import write_report

__all__ = [
    "Judged",
    "MetricReport",
    "Report",
    "Score",
    "Sharing",
    "TaskReport",
    "judge",
    "render_card",
    "render_html",
    "write_report",
]

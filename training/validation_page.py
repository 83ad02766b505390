"""The validation report as people read it: a page of its own, and a table on the console."""

from __future__ import annotations

from rich.console import Console
from rich.table import Table

from training.pages import fill
from training.validation import ERROR, NOTE, WARNING, ValidationReport

SEVERITIES = {ERROR: "错误 error", WARNING: "警告 warning", NOTE: "说明 note"}
_STYLES = {ERROR: "bold red", WARNING: "yellow", NOTE: "dim"}
_MOST_PLACES = 200
_MOST_ON_CONSOLE = 8


def validation_page(report: ValidationReport) -> str:
    """The report as one HTML page that needs nothing beside it; texts are masked excerpts."""
    return fill("validation.html.j2", report=report, severities=SEVERITIES, most=_MOST_PLACES)


def show_validation(report: ValidationReport, console: Console) -> None:
    """Print the findings with the first lines where they stand, without any text of a message."""
    title = f"批次核验 validation · {report.batch} · {report.n_usable}/{report.n_rows}"
    table = Table(title=title)
    for heading in ("程度", "核验 Check", "数量", "说明", "行 Lines"):
        table.add_column(heading, overflow="fold")
    for finding in report.findings:
        lines = [str(place.line) for place in finding.places[:_MOST_ON_CONSOLE]]
        more = "…" if len(finding.places) > _MOST_ON_CONSOLE else ""
        severity = f"[{_STYLES[finding.severity]}]{SEVERITIES[finding.severity]}[/]"
        table.add_row(severity, finding.check, str(finding.count), finding.told, " ".join(lines) + more)
    console.print(table)
    for finding in report.findings:
        if finding.check == "rows":
            for place in finding.places[:_MOST_ON_CONSOLE]:
                console.print(f"line {place.line}: {place.told}", markup=False, highlight=False)

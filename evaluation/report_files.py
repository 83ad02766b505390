"""Reports as files: one self-contained HTML page, XLSX, CSV and PNG."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from evaluation.report_tables import Heat, Ranges, Report, ReportTable
from nlp.extras import require
from nlp.tables import write_rows

FORMATS = ("html", "xlsx", "csv", "png")
_FONTS = (
    "Noto Sans CJK SC",
    "Source Han Sans SC",
    "WenQuanYi Micro Hei",
    "Microsoft YaHei",
    "PingFang SC",
    "SimHei",
)
_MOST_LISTED = 400


def write_report(report: Report, path: Path, form: str) -> list[Path]:
    """Write a report as `path` with the ending of `form`; CSV and PNG give one file a table or chart.

    Raises ValueError for an unknown format, MissingExtraError where PNG wants matplotlib.
    """
    writers = {"html": _write_html, "xlsx": _write_xlsx, "csv": _write_csv, "png": _write_png}
    if form not in writers:
        raise ValueError(f"format {form!r} is none of {', '.join(FORMATS)}")
    path.parent.mkdir(parents=True, exist_ok=True)
    return writers[form](report, path)


def _write_html(report: Report, path: Path) -> list[Path]:
    from jinja2 import Environment, FileSystemLoader
    from plotly.offline import get_plotlyjs

    folder = Path(__file__).parent / "templates"
    environment = Environment(loader=FileSystemLoader(folder), autoescape=True)
    environment.filters["cell"] = show_cell
    charts = [figure_of(chart) for chart in report.charts]
    # a "<" inside a script could close it
    figures = json.dumps(charts, ensure_ascii=False).replace("<", "\\u003c")
    page = environment.get_template("report.html").render(
        report=report, figures=figures, plotly=get_plotlyjs() if charts else "", most=_MOST_LISTED
    )
    path = path.with_suffix(".html")
    path.write_text(page, "utf-8")
    return [path]


def show_cell(value: Any) -> str:
    """A cell as people read it: shares and other fractions with three digits, counts with thousands."""
    if value is None:
        return "—"
    if isinstance(value, float):
        return f"{value:.2e}" if 0 < abs(value) < 0.001 else f"{value:,.3f}"
    return f"{value:,}" if isinstance(value, int) else str(value)


def figure_of(chart: Heat | Ranges) -> dict[str, Any]:
    """A chart as a Plotly figure."""
    layout: dict[str, Any] = {
        "title": {"text": chart.title},
        "margin": {"l": 140, "r": 20, "t": 50, "b": 110},
        "font": {"family": "Noto Sans CJK SC, Microsoft YaHei, PingFang SC, sans-serif"},
    }
    if isinstance(chart, Heat):
        trace = {
            "type": "heatmap", "x": chart.columns, "y": chart.rows, "z": chart.values, "colorscale": "Blues",
            "reversescale": False, "xgap": 1, "ygap": 1,
        }  # fmt: skip
        layout["xaxis"], layout["yaxis"] = {"type": "category"}, {"type": "category", "autorange": "reversed"}
        return {"data": [trace], "layout": layout}
    up = [high - value for high, value in zip(chart.high, chart.values, strict=True)]
    down = [value - low for low, value in zip(chart.low, chart.values, strict=True)]
    error = {"type": "data", "symmetric": False, "array": up, "arrayminus": down}
    trace = {"type": "scatter", "mode": "markers", "x": chart.labels, "y": chart.values, "error_y": error}
    layout["yaxis"] = {"range": [0, 1.02], "tickformat": ".0%"}
    layout["xaxis"] = {"type": "category"}
    if chart.line is not None:
        edge = {"type": "line", "xref": "paper", "x0": 0, "x1": 1, "y0": chart.line, "y1": chart.line}
        layout["shapes"] = [edge | {"line": {"dash": "dash", "color": "#b3261e"}}]
    return {"data": [trace], "layout": layout}


def _write_xlsx(report: Report, path: Path) -> list[Path]:
    from openpyxl import Workbook
    from openpyxl.styles import Font
    from openpyxl.utils import get_column_letter

    book = Workbook()
    book.remove(book.worksheets[0])
    for table in report.tables:
        sheet = book.create_sheet(_sheet_name(table, book.sheetnames))
        sheet.append(list(table.columns))
        for row in table.rows:
            sheet.append([_inert(cell) for cell in row])
        sheet.freeze_panes = "A2"
        sheet.auto_filter.ref = sheet.dimensions
        for number in range(1, len(table.columns) + 1):
            sheet.column_dimensions[get_column_letter(number)].width = 16
            sheet.cell(1, number).font = Font(bold=True)
        for cells in sheet.iter_rows(min_row=2):
            for cell in cells:
                if isinstance(cell.value, float):
                    cell.number_format = "0.0000"
    about = book.create_sheet("about")
    for line in (report.title, report.period, f"sha256 {report.digest}", *report.notes):
        about.append([line])
    path = path.with_suffix(".xlsx")
    book.save(path)
    return [path]


def _sheet_name(table: ReportTable, taken: Sequence[str]) -> str:
    name = "".join(" " if mark in "[]:*?/\\" else mark for mark in table.title)[:31]
    return name if name not in taken else table.id[:31]


def _inert(cell: Any) -> Any:
    return "'" + cell if isinstance(cell, str) and cell[:1] in ("=", "+", "@", "\t", "\r") else cell


def _write_csv(report: Report, path: Path) -> list[Path]:
    written = []
    for table in report.tables:
        target = path.with_name(f"{path.stem}-{table.id}.csv")
        rows = (dict(zip(table.columns, row, strict=True)) for row in table.rows)
        write_rows(target, rows, table.columns)
        written.append(target)
    return written


def _write_png(report: Report, path: Path) -> list[Path]:
    require("matplotlib", "png")
    from matplotlib import font_manager
    from matplotlib.figure import Figure

    installed = {font.name for font in font_manager.fontManager.ttflist}
    fonts = [name for name in _FONTS if name in installed]
    if not fonts and report.language == "zh":
        raise ValueError(
            "no Chinese font is installed for PNG; run `apt install fonts-noto-cjk`, or give --language en"
        )
    written = []
    for number, chart in enumerate(report.charts, start=1):
        figure = Figure(figsize=(11, 6), layout="constrained")
        axes = figure.add_subplot()
        style: dict[str, Any] = {"fontname": fonts[0]} if fonts else {}
        axes.set_title(chart.title, **style)
        labels = chart.columns if isinstance(chart, Heat) else chart.labels
        if isinstance(chart, Heat):
            figure.colorbar(axes.imshow(chart.values, cmap="Blues", aspect="auto"))
            axes.set_yticks(range(len(chart.rows)), chart.rows, **style)
        else:
            spread = [
                [value - low for value, low in zip(chart.values, chart.low, strict=True)],
                [high - value for value, high in zip(chart.values, chart.high, strict=True)],
            ]
            axes.errorbar(range(len(labels)), chart.values, yerr=spread, fmt="o", capsize=3)
            axes.set_ylim(0, 1.02)
            if chart.line is not None:
                axes.axhline(chart.line, linestyle="--", color="#b3261e")
        axes.set_xticks(range(len(labels)), labels, rotation=45, ha="right", **style)
        target = path.with_name(f"{path.stem}-{number}.png")
        figure.savefig(target, dpi=120)
        written.append(target)
    return written

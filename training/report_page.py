"""The training report: figures with intervals, confusion matrix, reliability and learning curve, on one page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from evaluation.metrics import Estimate
from nlp.extras import require
from training.pages import fill


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """Macro-F1 of the domain after learning from `n_records`, with its 95% interval, in 0–1."""

    n_records: int
    value: float
    low: float
    high: float


def report_page(
    version: str,
    facts: Mapping[str, Any],
    tested: Mapping[str, Any] | None,
    curve: Sequence[CurvePoint] = (),
    validations: Sequence[str] = (),
) -> str:
    """The page; `tested` are `evaluation.performance` figures on a test set, `validations` names of pages beside it."""
    rows = [("留出折 held-out folds", name, told) for name, told in facts["held_out"].items()]
    if tested:
        decisions = (name for name in ("domain", "tier", "urgency") if name in tested)
        rows = [("测试集 test set", name, tested[name]) for name in decisions] + rows
    domain = tested["domain"] if tested else facts["held_out"]["domain"]
    figures = [("混淆矩阵（领域）· Confusion of domains", _confusion(domain))]
    if tested:
        reliability = _reliability(tested["domain_reliability"])
        figures.append(("可靠性（领域）· Reliability of the domain's confidence", reliability))
    if curve:
        figures.append(("学习曲线 · Learning curve", _learning_curve(curve)))
    charts = [
        (title, figure.to_html(full_html=False, include_plotlyjs=number == 0, div_id=f"chart-{number}"))
        for number, (title, figure) in enumerate(figures)
    ]
    return fill(
        "report.html.j2",
        version=version,
        facts=facts,
        rows=rows,
        charts=charts,
        validations=validations,
        interval=lambda told: Estimate(**told),
    )


def _confusion(told: Mapping[str, Any]) -> Any:
    graphs = require("plotly.graph_objects", "train")
    labels, counts = told["labels"], told["confusion"]
    shares = [[cell / max(sum(row), 1) for cell in row] for row in counts]
    heat = graphs.Heatmap(
        z=shares, x=labels, y=labels, text=counts, texttemplate="%{text}", colorscale="Blues", zmin=0, zmax=1
    )
    return graphs.Figure(heat).update_layout(
        xaxis_title="判为 given",
        yaxis_title="实为 true",
        yaxis_autorange="reversed",
        height=560,
        template="simple_white",
    )


def _reliability(bins: Sequence[Mapping[str, Any]]) -> Any:
    graphs = require("plotly.graph_objects", "train")
    heights = [one["accuracy"]["value"] for one in bins]
    error = {
        "type": "data",
        "symmetric": False,
        "array": [one["accuracy"]["high"] - one["accuracy"]["value"] for one in bins],
        "arrayminus": [one["accuracy"]["value"] - one["accuracy"]["low"] for one in bins],
    }
    points = graphs.Scatter(
        x=[one["confidence"] for one in bins],
        y=heights,
        error_y=error,
        text=[f"n={one['n']}" for one in bins],
        mode="markers+lines",
        name="模型 model",
    )
    ideal = graphs.Scatter(x=[0, 1], y=[0, 1], mode="lines", line_dash="dot", name="理想 ideal")
    return graphs.Figure([points, ideal]).update_layout(
        xaxis_title="置信度 confidence", yaxis_title="准确率 accuracy", height=420, template="simple_white"
    )


def _learning_curve(curve: Sequence[CurvePoint]) -> Any:
    graphs = require("plotly.graph_objects", "train")
    error = {
        "type": "data",
        "symmetric": False,
        "array": [point.high - point.value for point in curve],
        "arrayminus": [point.value - point.low for point in curve],
    }
    points = graphs.Scatter(
        x=[point.n_records for point in curve],
        y=[point.value for point in curve],
        error_y=error,
        mode="markers+lines",
    )
    return graphs.Figure(points).update_layout(
        xaxis_title="训练条数 records", yaxis_title="宏 F1 macro-F1", height=420, template="simple_white"
    )

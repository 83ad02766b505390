"""The command line, assembled from each floor's own commands."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable
from typing import Any

import typer

# Where each command lives. Only what is asked for is imported, for the service must start without the workshop.
_COMMANDS = {
    "serve": "serving.cli:serve",
    "classify": "serving.cli:classify",
    "match": "serving.cli:match",
    "dispatch": "matching.cli:dispatch",
    "assign": "matching.cli:assign",
    "train": "training.train_cli:train",
    "pretrain": "training.cli:pretrain",
    "evaluate": "evaluation.cli:evaluate",
    "tune": "training.cli:tune_encoder",
}
_GROUPS = {
    "datasets": ("自有数据 · the project's own text", {"check": "evaluation.cli:check_datasets"}),
    "resources": (
        "资源 · resources and how they are ranked",
        {
            "learn": "training.cli:learn_to_rank",
            "import": "matching.cli:import_resources",
            "export": "matching.cli:export_resources",
            "check": "matching.cli:check_resources",
        },
    ),
    "labels": (
        "标注 · labels: check, suggest, export, import",
        {
            "check": "training.labels_cli:check_batch",
            "suggest": "training.labels_cli:suggest_labels",
            "export": "training.labels_cli:export_labels",
            "import": "training.labels_cli:import_labels",
        },
    ),
    "registry": (
        "模型登记 · registered models",
        {
            "register": "training.registry_cli:register",
            "list": "training.registry_cli:show",
            "compare": "training.registry_cli:compare_models",
            "promote": "training.registry_cli:promote",
            "rollback": "training.registry_cli:roll_back",
            "log": "training.registry_cli:show_log",
        },
    ),
    "keys": (
        "密钥 · keys to the service",
        {
            "create": "evaluation.ledger_cli:create",
            "list": "evaluation.ledger_cli:show",
            "revoke": "evaluation.ledger_cli:revoke",
            "rotate": "evaluation.ledger_cli:rotate",
        },
    ),
    "ledger": (
        "记录库 · the ledger: migrations, retention, residents' rights",
        {
            "migrate": "evaluation.ledger_cli:migrate",
            "retain": "evaluation.ledger_cli:retain_only",
            "export": "evaluation.ledger_cli:export",
            "delete": "evaluation.ledger_cli:delete",
        },
    ),
    "audit": (
        "抽样审核 · audits: draw, judge, settle, trace",
        {
            "draw": "evaluation.audit_cli:draw",
            "import": "evaluation.audit_cli:import_sheets",
            "settle": "evaluation.audit_cli:settle",
            "list": "evaluation.audit_cli:list_audits",
            "trail": "evaluation.audit_cli:trail",
        },
    ),
    "report": (
        "报告 · accuracy, needs, drift, emerging topics",
        {
            "accuracy": "evaluation.report_cli:accuracy",
            "needs": "evaluation.report_cli:needs",
            "drift": "evaluation.report_cli:drift",
            "emerging": "evaluation.report_cli:emerging",
        },
    ),
}


def build(only: str | None = None) -> typer.Typer:
    """The `zhixu` application; with the name of one of its commands or groups in `only`, that alone."""
    app = typer.Typer(
        name="zhixu",
        help="知需 · finds the needs in what residents say and matches them to resources",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    app.callback()(lambda: None)  # a single command keeps its name
    alone = only in _COMMANDS or only in _GROUPS
    for name, place in _COMMANDS.items():
        if name == only or not alone:
            app.command(name)(_command(place))
    for name, (told, steps) in _GROUPS.items():
        if name == only or not alone:
            group = typer.Typer(help=told, no_args_is_help=True)
            for step, place in steps.items():
                group.command(step)(_command(place))
            app.add_typer(group, name=name)
    return app


def _command(place: str) -> Callable[..., Any]:
    module, _, name = place.partition(":")
    command: Callable[..., Any] = getattr(importlib.import_module(module), name)
    return command


def main() -> None:
    """Run the command line; a failure is one line on standard error and exit code 1."""
    asked = sys.argv[1] if len(sys.argv) > 1 else None
    if asked == "serve":  # small batches: more threads of linear algebra would only wait for each other
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        build(asked)()
    except (ValueError, LookupError, OSError, ImportError) as error:
        typer.echo(f"zhixu: {error}", err=True)
        sys.exit(1)
    except Exception as error:  # named by its module, for importing SQLAlchemy would slow every command
        if not type(error).__module__.startswith("sqlalchemy."):
            raise
        typer.echo(
            f"zhixu: the ledger cannot be reached ({type(error).__name__}); check ZHIXU_LEDGER", err=True
        )
        sys.exit(1)


if __name__ == "__main__":
    main()

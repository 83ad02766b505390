"""The command line, assembled from each floor's own commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import Any

import typer


def build() -> typer.Typer:
    """The `zhixu` application."""
    from evaluation.audit_cli import build as audits
    from evaluation.cli import check_datasets, evaluate
    from evaluation.ledger_cli import keys, ledger
    from evaluation.report_cli import build as reports
    from matching.cli import assign, check_resources, dispatch, export_resources, import_resources
    from serving.cli import classify, match, serve
    from training.cli import learn_to_rank, pretrain, tune_encoder
    from training.labels_cli import check_batch, export_labels, import_labels, suggest_labels
    from training.registry_cli import compare_models, promote, register, roll_back, show, show_log
    from training.train_cli import train

    app = typer.Typer(
        name="zhixu",
        help="知需 · finds the needs in what residents say and matches them to resources",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    commands: tuple[Callable[..., Any], ...] = (
        serve, classify, match, dispatch, assign, train, pretrain, evaluate,
    )  # fmt: skip
    for command in commands:
        app.command()(command)
    app.command("tune")(tune_encoder)
    groups: dict[str, tuple[str, dict[str, Callable[..., Any]]]] = {
        "datasets": ("自有数据 · the project's own text", {"check": check_datasets}),
        "resources": (
            "资源 · resources and how they are ranked",
            {
                "learn": learn_to_rank,
                "import": import_resources,
                "export": export_resources,
                "check": check_resources,
            },
        ),
        "labels": (
            "标注 · labels: check, suggest, export, import",
            {
                "check": check_batch,
                "suggest": suggest_labels,
                "export": export_labels,
                "import": import_labels,
            },
        ),
        "registry": (
            "模型登记 · registered models",
            {
                "register": register,
                "list": show,
                "compare": compare_models,
                "promote": promote,
                "rollback": roll_back,
                "log": show_log,
            },
        ),
    }
    for name, (told, steps) in groups.items():
        group = typer.Typer(help=told, no_args_is_help=True)
        for step, run in steps.items():
            group.command(step)(run)
        app.add_typer(group, name=name)
    app.add_typer(keys, name="keys")
    app.add_typer(ledger, name="ledger")
    app.add_typer(audits(), name="audit")
    app.add_typer(reports(), name="report")
    return app


def main() -> None:
    """Run the command line; a failure is one line on standard error and exit code 1."""
    if sys.argv[1:2] == [
        "serve"
    ]:  # small batches: more threads of linear algebra would only wait for each other
        os.environ.setdefault("OMP_NUM_THREADS", "1")
    try:
        build()()
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

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
    from serving.cli import classify, match, serve
    from training.cli import learn_to_rank, pretrain, train, tune_encoder

    app = typer.Typer(
        name="zhixu",
        help="知需 · finds the needs in what residents say and matches them to resources",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
    )
    commands: tuple[Callable[..., Any], ...] = (serve, classify, match, train, pretrain, evaluate)
    for command in commands:
        app.command()(command)
    app.command("tune")(tune_encoder)
    datasets = typer.Typer(help="自有数据 · the project's own text", no_args_is_help=True)
    datasets.command("check")(check_datasets)
    app.add_typer(datasets, name="datasets")
    resources = typer.Typer(help="资源 · resources and how they are ranked", no_args_is_help=True)
    resources.command("learn")(learn_to_rank)
    app.add_typer(resources, name="resources")
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

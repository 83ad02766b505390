import subprocess
import sys

import pytest
import typer
from typer.testing import CliRunner

from zhixu import build

NAMES = sorted(typer.main.get_command(build()).commands)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", NAMES)
def test_a_command_alone_is_the_one_among_all(name: str) -> None:
    runner = CliRunner()
    alone = runner.invoke(build(name), [name, "--help"])
    assert alone.exit_code == 0
    assert alone.output == runner.invoke(build(), [name, "--help"]).output
    assert list(typer.main.get_command(build(name)).commands) == [name]  # type: ignore[attr-defined]


def test_an_unknown_command_is_told_from_all() -> None:
    assert list(typer.main.get_command(build("nothing")).commands) == list(
        typer.main.get_command(build()).commands
    )  # type: ignore[attr-defined]


def test_the_service_starts_without_the_workshop() -> None:
    code = (
        "import sys, zhixu; zhixu.build('serve'); print([m for m in sys.modules if m.startswith('training')])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"

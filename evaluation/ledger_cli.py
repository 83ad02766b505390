"""`zhixu keys …` and `zhixu ledger …`: who may call the service, and how long what is kept."""

from __future__ import annotations

import getpass
import json
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from evaluation.keys import SCOPES, create_key, list_keys, revoke_key, rotate_key
from evaluation.ledger import DEFAULT_LEDGER, Ledger
from evaluation.options import LedgerUrl
from evaluation.privacy import Pseudonyms, delete_resident, export_resident, retain

console = Console()
_SPAN = re.compile(r"(\d+)([hdw])")
_HOURS = {"h": 1, "d": 24, "w": 168}

Secret = Annotated[
    Path, typer.Option(envvar="ZHIXU_SECRET", help="散列密钥文件 · file with the hashing secret")
]
KeyId = Annotated[str, typer.Argument(help="密钥编号 · key id")]
Resident = Annotated[
    str,
    typer.Argument(help="居民代号，`-` 从标准输入读 · the platform's reference; `-` reads standard input"),
]
_SECRET = Path("var/secret.key")


def to_span(text: str) -> timedelta:
    """A span such as 36h, 365d or 52w. Raises ValueError for anything else."""
    found = _SPAN.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is no span of time; write 36h, 365d or 52w")
    return timedelta(hours=int(found[1]) * _HOURS[found[2]])


def create(
    owner: Annotated[str, typer.Argument(help="持有者 · whose key, such as the platform's name")],
    scope: Annotated[list[str], typer.Option(help=f"权限，可多次 · {', '.join(SCOPES)}")],
    expires: Annotated[str | None, typer.Option(help="有效期，如 365d · for how long")] = None,
    url: LedgerUrl = DEFAULT_LEDGER,
) -> None:
    """新建密钥，只显示一次 · A new key, shown once."""
    ends = datetime.now(UTC) + to_span(expires) if expires else None
    typer.echo(create_key(Ledger(url), owner, scope, ends))


def show(url: LedgerUrl = DEFAULT_LEDGER) -> None:
    """列出密钥 · All keys; never their secrets."""
    table = Table("编号 Id", "持有者 Owner", "权限 Scopes", "建于 Created", "到期 Expires", "状态 State")
    now = datetime.now(UTC)
    for key in list_keys(Ledger(url)):
        state = "已吊销 revoked" if key.revoked_at else "有效 valid" if key.valid(now) else "已到期 expired"
        ends = f"{key.expires_at:%Y-%m-%d %H:%M}" if key.expires_at else "—"
        table.add_row(
            key.id, key.owner, " ".join(key.scopes), f"{key.created_at:%Y-%m-%d %H:%M}", ends, state
        )
    console.print(table)


def revoke(key_id: KeyId, url: LedgerUrl = DEFAULT_LEDGER) -> None:
    """吊销密钥，即刻生效 · Revoke a key; running services follow within seconds."""
    revoke_key(Ledger(url), key_id)
    typer.echo(f"已吊销 · revoked {key_id}")


def rotate(
    key_id: KeyId,
    overlap: Annotated[str, typer.Option(help="旧密钥还可用多久 · how long the old one still works")] = "24h",
    url: LedgerUrl = DEFAULT_LEDGER,
) -> None:
    """轮换密钥 · A new key with the same rights; the old one works on for a while."""
    typer.echo(rotate_key(Ledger(url), key_id, to_span(overlap)))


def migrate(
    revision: Annotated[str, typer.Option(help="版本，head 为最新 · revision; head is the newest")] = "head",
    url: LedgerUrl = DEFAULT_LEDGER,
) -> None:
    """迁移表结构，可升可降 · Bring the tables to a revision, up or down."""
    Ledger(url).migrate(revision)
    typer.echo(f"ok: {revision}")


def retain_only(
    older_than: Annotated[str, typer.Option(help="早于多久的删除，如 365d · delete what is older")],
    source: Annotated[str | None, typer.Option(help="只限此来源 · of one source only")] = None,
    url: LedgerUrl = DEFAULT_LEDGER,
) -> None:
    """按期限与来源删除 · Delete what is older than a span, of one source or all."""
    count = retain(Ledger(url), to_span(older_than), _actor(), source)
    typer.echo(f"已删除 · deleted {count}")


def export(
    resident: Resident,
    out: Annotated[Path, typer.Option("-o", "--out", help="输出 JSON · output")],
    url: LedgerUrl = DEFAULT_LEDGER,
    secret: Secret = _SECRET,
) -> None:
    """导出一位居民的全部记录 · Everything kept about one resident."""
    records = export_resident(Ledger(url), _pseudonym(secret, resident), _actor())
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(records, ensure_ascii=False, indent=1, default=str) + "\n", "utf-8")
    typer.echo(f"{len(records)} -> {out}")


def delete(
    resident: Resident,
    yes: Annotated[bool, typer.Option("--yes", help="不再询问 · do not ask")] = False,
    url: LedgerUrl = DEFAULT_LEDGER,
    secret: Secret = _SECRET,
) -> None:
    """删除一位居民的全部记录 · Delete everything kept about one resident."""
    pseudonym = _pseudonym(secret, resident)
    if not yes:
        typer.confirm("删除后不可恢复，确定？ · this cannot be undone; go on?", abort=True)
    typer.echo(f"已删除 · deleted {delete_resident(Ledger(url), pseudonym, _actor())}")


def _pseudonym(secret: Path, resident: str) -> str:
    if not secret.is_file():
        raise ValueError(f"{secret} is not there; name the service's secret in --secret or ZHIXU_SECRET")
    given = typer.get_text_stream("stdin").readline().strip() if resident == "-" else resident
    return Pseudonyms.load(secret).of("resident", given)


def _actor() -> str:
    return f"cli:{getpass.getuser()}"

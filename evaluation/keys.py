"""Keys that callers of the service identify themselves with.

A key reads `zx_<id>_<secret>`. The secret has 256 random bits, so its plain SHA-256 is enough to keep: slow
password hashes guard what can be guessed, and this cannot. The ledger never holds the secret.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, select, update

from evaluation.ledger import Ledger
from evaluation.service_tables import ApiKey

CLASSIFY, FEEDBACK, ANALYST, REVIEWER, ADMIN = SCOPES = (
    "classify",
    "feedback",
    "analyst",
    "reviewer",
    "admin",
)
_PREFIX = "zx"


class UnknownKeyError(ValueError):
    """A key id the ledger does not hold, or one that opens no door any more."""


@dataclass(frozen=True, slots=True)
class HeldKey:
    """A key as the ledger holds it; without `expires_at` it never expires. Times are UTC."""

    id: str
    owner: str
    digest: str
    scopes: tuple[str, ...]
    created_at: datetime
    expires_at: datetime | None = None
    revoked_at: datetime | None = None

    def valid(self, now: datetime) -> bool:
        """Whether it opens the door at a moment."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def grants(self, scope: str) -> bool:
        """Whether it may do what `scope` allows; `admin` may do everything."""
        return scope in self.scopes or ADMIN in self.scopes


def create_key(ledger: Ledger, owner: str, scopes: Sequence[str], expires_at: datetime | None = None) -> str:
    """A new key for `owner`; the returned text is shown once and cannot be had again.

    Raises ValueError for a scope that is none of `SCOPES`.
    """
    if not owner.strip():
        raise ValueError("a key needs an owner, such as the platform's name")
    if wrong := [scope for scope in scopes if scope not in SCOPES] or (not scopes and ["none"]):
        raise ValueError(f"scope {wrong[0]!r}: give one or more of {', '.join(SCOPES)}")
    key_id, secret = secrets.token_hex(4), secrets.token_urlsafe(32)
    row = {
        "id": key_id,
        "owner": owner.strip()[:100],
        "digest": _digest(secret),
        "scopes": list(dict.fromkeys(scopes)),
        "created_at": datetime.now(UTC),
        "expires_at": expires_at,
    }
    with ledger.engine.begin() as connection:
        connection.execute(insert(ApiKey), [row])
    return f"{_PREFIX}_{key_id}_{secret}"


def list_keys(ledger: Ledger) -> list[HeldKey]:
    """Every key, oldest first, also those that open no door any more."""
    with ledger.session() as session:
        rows = session.scalars(select(ApiKey).order_by(ApiKey.created_at, ApiKey.id)).all()
    return [
        HeldKey(
            row.id,
            row.owner,
            row.digest,
            tuple(row.scopes),
            _utc(row.created_at),
            row.expires_at and _utc(row.expires_at),
            row.revoked_at and _utc(row.revoked_at),
        )
        for row in rows
    ]


def revoke_key(ledger: Ledger, key_id: str) -> None:
    """Close the door to a key from now on. Raises UnknownKeyError."""
    change = update(ApiKey).where(ApiKey.id == key_id, ApiKey.revoked_at.is_(None))
    with ledger.engine.begin() as connection:
        if not connection.execute(change.values(revoked_at=datetime.now(UTC))).rowcount:
            raise UnknownKeyError(f"no key {key_id!r} to revoke; see `zhixu keys list`")


def rotate_key(ledger: Ledger, key_id: str, overlap: timedelta) -> str:
    """A new key with the same owner, scopes and lifetime; the old one still opens the door for `overlap`.

    Raises UnknownKeyError for a key that is unknown, revoked or expired.
    """
    now = datetime.now(UTC)
    old = next((key for key in list_keys(ledger) if key.id == key_id and key.valid(now)), None)
    if old is None:
        raise UnknownKeyError(f"no valid key {key_id!r} to rotate; see `zhixu keys list`")
    expires_at = None if old.expires_at is None else now + (old.expires_at - old.created_at)
    fresh = create_key(ledger, old.owner, old.scopes, expires_at)
    ends = now + overlap if old.expires_at is None else min(now + overlap, old.expires_at)
    with ledger.engine.begin() as connection:
        connection.execute(update(ApiKey).where(ApiKey.id == key_id).values(expires_at=ends))
    return fresh


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of one moment, by id, to check callers against without asking the ledger each time."""

    keys: Mapping[str, HeldKey]

    @classmethod
    def load(cls, ledger: Ledger) -> KeyRing:
        """All keys the ledger holds now."""
        return cls({key.id: key for key in list_keys(ledger)})

    def find(self, presented: str, now: datetime) -> HeldKey | None:
        """The valid key whose text was presented, or None; compared in constant time."""
        prefix, _, rest = presented.partition("_")
        key_id, _, secret = rest.partition("_")
        key = self.keys.get(key_id)
        same = hmac.compare_digest(key.digest if key else "", _digest(secret))
        return key if key and same and prefix == _PREFIX and key.valid(now) else None


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _utc(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)

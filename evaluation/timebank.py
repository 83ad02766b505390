"""The time bank: hours volunteers offer are capacity that a confirmed match spends and credits, on the ledger.

Minutes are whole, so sums are exact. A balance never falls below zero and a match is booked once, whoever else is
writing: both are kept by the database itself. Transfers outlive the matches they paid for, as accounts must add up.
"""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

from sqlalchemy import CheckConstraint, ForeignKey, Integer, String, func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Mapped, mapped_column

from evaluation.ledger import Ledger
from evaluation.outcomes import UnknownMatchError
from evaluation.tables import MOMENT, Base, ProposedMatch

ACCOUNT = String(100)


class HourAccount(Base):
    """Whose minutes: a resource's id (what a volunteer offers), or a keyed hash of a person (what they earned)."""

    __tablename__ = "hour_accounts"
    __table_args__ = (CheckConstraint("minutes >= 0", name="hour_accounts_never_below_zero"),)

    account: Mapped[str] = mapped_column(ACCOUNT, primary_key=True)
    minutes: Mapped[int] = mapped_column(Integer)


class HourDeposit(Base):
    """Minutes paid into an account from outside: hours a volunteer offers, a gift of the community."""

    __tablename__ = "hour_deposits"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    account: Mapped[str] = mapped_column(ACCOUNT, ForeignKey("hour_accounts.account"), index=True)
    minutes: Mapped[int] = mapped_column(Integer)
    booked_at: Mapped[datetime] = mapped_column(MOMENT)
    actor: Mapped[str] = mapped_column(String(100))


class HourTransfer(Base):
    """Minutes a confirmed match moved from one account to another; one a match at most."""

    __tablename__ = "hour_transfers"

    match_id: Mapped[str] = mapped_column(String(32), primary_key=True)
    payer: Mapped[str] = mapped_column(ACCOUNT, ForeignKey("hour_accounts.account"), index=True)
    payee: Mapped[str] = mapped_column(ACCOUNT, ForeignKey("hour_accounts.account"), index=True)
    minutes: Mapped[int] = mapped_column(Integer)
    booked_at: Mapped[datetime] = mapped_column(MOMENT)
    actor: Mapped[str] = mapped_column(String(100))


class NotEnoughHoursError(ValueError):
    """An account that does not hold what a match would spend."""


class AlreadyBookedError(ValueError):
    """A match whose hours were booked before."""


def deposit_hours(ledger: Ledger, account: str, minutes: int, actor: str) -> None:
    """Pay minutes into an account, which is opened where there is none. Raises ValueError unless `minutes` > 0."""
    _check(account, minutes)
    row = {"id": uuid.uuid4().hex, "account": account, "minutes": minutes, "actor": actor}
    with ledger.engine.begin() as connection:
        _credit(connection, account, minutes)
        connection.execute(insert(HourDeposit), row | {"booked_at": datetime.now(UTC)})


def book_match(ledger: Ledger, match_id: str, payer: str, payee: str, minutes: int, actor: str) -> None:
    """Spend a confirmed match's minutes from `payer` and credit them to `payee`, all or nothing.

    Raises UnknownMatchError, AlreadyBookedError where the match was booked before, NotEnoughHoursError where the payer
    holds less, ValueError unless `minutes` > 0 and the accounts differ.
    """
    _check(payer, minutes)
    _check(payee, minutes)
    if payer == payee:
        raise ValueError(f"account {payer!r} cannot pay itself; name two accounts")
    row = {"match_id": match_id, "payer": payer, "payee": payee, "minutes": minutes, "actor": actor}
    try:
        with ledger.engine.begin() as connection:
            _open(
                connection, *sorted((payer, payee))
            )  # always in one order, so that no two wait for each other
            _debit_and_credit(connection, payer, payee, minutes)
            known = select(ProposedMatch.id).where(ProposedMatch.id == match_id)
            if connection.execute(known).first() is None:
                raise UnknownMatchError(f"the ledger holds no match {match_id!r}; give an id it proposed")
            connection.execute(insert(HourTransfer), row | {"booked_at": datetime.now(UTC)})
    except IntegrityError:
        raise AlreadyBookedError(f"match {match_id!r} was booked before; its hours are spent once") from None
    except NotEnoughHoursError:
        if _is_booked(ledger, match_id):
            raise AlreadyBookedError(
                f"match {match_id!r} was booked before; its hours are spent once"
            ) from None
        raise


def minutes_left(ledger: Ledger, account: str) -> int:
    """Minutes an account holds; 0 for one that was never opened."""
    with ledger.engine.connect() as connection:
        found = connection.execute(select(HourAccount.minutes).where(HourAccount.account == account))
        return int(found.scalar() or 0)


def balances_agree(ledger: Ledger) -> bool:
    """Whether every balance is its deposits and credits less what it spent."""
    sums: dict[str, int] = {}
    moves = (
        (HourDeposit.account, func.sum(HourDeposit.minutes)),
        (HourTransfer.payee, func.sum(HourTransfer.minutes)),
        (HourTransfer.payer, -func.sum(HourTransfer.minutes)),
    )
    with ledger.engine.connect() as connection:
        for account, total in moves:
            for name, minutes in connection.execute(select(account, total).group_by(account)):
                sums[name] = sums.get(name, 0) + int(minutes)
        held = {
            name: int(n) for name, n in connection.execute(select(HourAccount.account, HourAccount.minutes))
        }
    return all(held.get(name, 0) == sums.get(name, 0) for name in held.keys() | sums.keys())


def _check(account: str, minutes: int) -> None:
    if not account or len(account) > 100:
        raise ValueError("an account is named by 1 to 100 characters")
    if minutes <= 0:
        raise ValueError(f"{minutes} minutes; give more than none")


def _open(connection: Connection, *accounts: str) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    for account in accounts:
        row = dialect.insert(HourAccount).values(account=account, minutes=0)
        connection.execute(row.on_conflict_do_update(index_elements=["account"], set_={"account": account}))


def _credit(connection: Connection, account: str, minutes: int) -> None:
    _open(connection, account)
    own = HourAccount.account == account
    connection.execute(update(HourAccount).where(own).values(minutes=HourAccount.minutes + minutes))


def _debit_and_credit(connection: Connection, payer: str, payee: str, minutes: int) -> None:
    enough = (HourAccount.account == payer) & (HourAccount.minutes >= minutes)
    spent = connection.execute(
        update(HourAccount).where(enough).values(minutes=HourAccount.minutes - minutes)
    )
    if spent.rowcount != 1:
        raise NotEnoughHoursError(f"account {payer!r} holds less than {minutes} minutes; book less or wait")
    _credit(connection, payee, minutes)


def _is_booked(ledger: Ledger, match_id: str) -> bool:
    with ledger.engine.connect() as connection:
        found = select(HourTransfer.match_id).where(HourTransfer.match_id == match_id)
        return connection.execute(found).first() is not None

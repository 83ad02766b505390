"""Masking: personal data to typed placeholders before anything is stored, logged or indexed."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from nlp.addresses import door_before, find_addresses
from nlp.names import find_names
from nlp.numbers import CARD, DOCUMENT, HOUSEHOLD, IDENTITY, PHONE, Span, find_numbers, local_number
from nlp.records import MaskedSpan, MaskedText

NAME, DOOR, EMAIL, ACCOUNT, PLATE = "姓名", "门牌", "邮箱", "账号", "车牌"
KINDS = (PHONE, IDENTITY, CARD, DOCUMENT, HOUSEHOLD, EMAIL, ACCOUNT, PLATE, NAME, DOOR)
PLACEHOLDER = re.compile(f"<(?:{'|'.join(KINDS)})>")

_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"
_READ = "零〇一二三四五六七八九幺"
_EMAIL = re.compile(
    r"[A-Za-z0-9._%+\-]{1,64}\s?(?:@|＠|艾特)\s?[A-Za-z0-9\-]{1,63}(?:(?:\.|点)[A-Za-z0-9\-]{1,63}){0,3}(?:\.|\s?点\s?)[A-Za-z]{2,12}"
)
_PLATE = re.compile(
    rf"[{_PROVINCES}]\s?[A-HJ-NP-Za-hj-np-z]\s?[·•.\-]?\s?(?=[A-Za-z]{{0,5}}[\d{_READ}])[A-HJ-NP-Za-hj-np-z\d{_READ}]{{4,5}}"
    rf"[A-HJ-NP-Za-hj-np-z\d{_READ}挂学警港澳](?![0-9A-Za-z])"
)
_ACCOUNT = re.compile(
    r"(?:微信|薇信|威信|V信|v信|vx|VX|Vx|wx|WX|加[vV]|(?<![A-Za-z0-9])[vV](?=\s?[:：+]?\s?[A-Za-z0-9_])|卫星|绿泡泡|QQ|qq|扣扣|企鹅|抖音|快手|小红书|微博|支付宝|淘宝|钉钉|旺旺|陌陌|闲鱼|维权群|业主群|群号)"
    r"(?:账号|帐号|号码?|群号?|ID|id|昵称|名|联系|搜)?\s*(?:[:：是为+]|号是|也是)?\s*"
    r"([A-Za-z][A-Za-z0-9_\-@.]{5,24}|\d{5,12})(?![A-Za-z0-9])"
)


_LATIN = re.compile(r"[0-9A-Za-z_\-]{5}|@|＠|艾特")  # every account and e-mail address holds one


# every number, account and address holds one
_WRITTEN = re.compile(
    r"[0-9A-Za-z０-９①-⑨⓪]|[零〇○一二三四五六七八九幺壹贰叁肆伍陆柒捌玖两]{3}|单元|[栋幢弄号]"
)

_PASSES = 8  # ordinary text needs two; a text made to need more must not cost more


def _accounts(text: str) -> Iterator[Span]:
    if _LATIN.search(text):
        for match in _EMAIL.finditer(text):
            yield *match.span(), EMAIL
        for match in _ACCOUNT.finditer(text):
            yield *match.span(1), ACCOUNT
    for match in _PLATE.finditer(text):
        yield *match.span(), PLATE


def _found(text: str) -> Iterator[Span]:
    """Personal data in the order in which one kind goes before another where they overlap."""
    written = _WRITTEN.search(text) is not None
    starts: list[int] = []
    if written:
        numbers = find_numbers(text)
        yield from numbers
        yield from _accounts(text)
        for start, end in find_addresses(text):
            yield start, end, DOOR
        starts = [start for start, _, kind in numbers if kind not in (CARD, HOUSEHOLD)]
    for start, end in find_names(text, starts, doors=written):
        yield start, end, NAME
        if written and (number := local_number(text, end)):
            yield number
        if written and (door := door_before(text, start)):
            yield *door, DOOR


def _apart(text: str, found: Iterable[Span]) -> list[Span]:
    """The spans in order of place; those that overlap an earlier found one or a placeholder are left out."""
    taken = bytearray(len(text))
    for match in PLACEHOLDER.finditer(text):
        taken[slice(*match.span())] = b"\1" * len(match[0])
    kept: list[Span] = []
    for start, end, kind in found:
        if not any(taken[start:end]):
            taken[start:end] = b"\1" * (end - start)
            kept.append((start, end, kind))
    return sorted(kept)


def _filled(text: str, spans: Iterable[Span]) -> str:
    pieces: list[str] = []
    position = 0
    for start, end, kind in spans:
        pieces += (text[position:start], f"<{kind}>")
        position = end
    return "".join((*pieces, text[position:]))


def _traced(spans: list[Span], more: list[Span]) -> list[Span]:
    """`spans` of a text joined with `more` of the same text once those were filled."""
    traced = list(spans)
    shift = passed = 0
    for start, end, kind in more:
        while passed < len(spans) and spans[passed][0] - shift <= start:
            shift += spans[passed][1] - spans[passed][0] - len(f"<{spans[passed][2]}>")
            passed += 1
        traced.append((start + shift, end + shift, kind))
    return sorted(traced)


def mask(text: str) -> MaskedText:
    """Replace personal data in `text` by `<电话>`, `<身份证>`, `<银行卡>`, `<证件>`, `<户号>`, `<邮箱>`, `<账号>`, `<车牌>`, `<姓名>`, `<门牌>`.

    The spans say where each placeholder's original stood in `text`, in order and without overlap.
    Masking masked text changes nothing: what a placeholder makes visible beside it is masked in a further pass.
    """
    spans: list[Span] = []
    masked = text
    for _ in range(_PASSES):
        more = _apart(masked, _found(masked))
        if not more:
            break
        spans = _traced(spans, more)
        masked = _filled(text, spans)
    return MaskedText(masked, tuple(MaskedSpan(kind, start, end) for start, end, kind in spans))

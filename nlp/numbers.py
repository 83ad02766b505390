"""Numbers that belong to a person: telephones, identity numbers, cards, documents, accounts of households.

They are found on a shadow of the text in which Chinese, full-width and circled digits stand as Arabic ones, character
for character, so a number read aloud is found at its true place. Identity numbers follow GB 11643 (ISO 7064
MOD 11-2), bank cards ISO/IEC 7812 (Luhn); a failed check is masked all the same when the words before it
say what it is, for a mistyped number is still somebody's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from stdnum import luhn
from stdnum.iso7064 import mod_11_2

PHONE, IDENTITY, CARD, DOCUMENT, HOUSEHOLD = "电话", "身份证", "银行卡", "证件", "户号"

_SHADOW = str.maketrans(
    "零〇○⓪一二三四五六七八九幺壹贰叁肆伍陆柒捌玖两①②③④⑤⑥⑦⑧⑨０１２３４５６７８９Ｘ叉",
    "0000123456789112345678921234567890123456789XX",
)
_WIDE = str.maketrans("０１２３４５６７８９Ｘ", "0123456789X")
_READ = re.compile("[零〇○⓪一二三四五六七八九幺壹贰叁肆伍陆柒捌玖两①-⑨]")
_DIGITS = r"\d零〇○⓪一二三四五六七八九幺壹贰叁肆伍陆柒捌玖两①-⑨"
_ALONE = r"(?<![0-9A-Za-z])"
_GAP = r"[\s\-－—_.·,，、]{0,2}"
_STAR = r"[*＊xX×]"

_LETTERED = re.compile(r"[^0-9Xx]")
_IDENTITY = re.compile(rf"{_ALONE}G?([1-9](?:{_GAP}\d){{16}}{_GAP}[\dXx])(?:{_GAP}\d{{2}})?(?![0-9A-Za-z])")
_IDENTITY_TOLD = re.compile(
    r"(?:身份证|身份号|公民身份|证件号|ID)[^0-9\n>]{0,8}?((?:\d[\s-]?){14,17}[\dXx]|\d{3,10}[*＊xX×]{3,12}[\dXx]{0,4})"
)
_IDENTITY_STARRED = re.compile(
    rf"{_ALONE}(?=[\d*＊xX×]{{15,18}}(?![0-9A-Za-z*＊×]))[1-9]\d{{2,9}}{_STAR}{{4,14}}\d{{0,4}}[\dXx]"
)
_CARD = re.compile(
    rf"{_ALONE}[1-9]\d{{3}}(?:[\s-]?\d{{4}}){{2}}[\s-]?\d{{4}}(?:[\s-]?\d{{1,3}})?(?![0-9A-Za-z])"
)
_CARD_TOLD = re.compile(
    r"(?:银行卡|卡号|账号|帐号|账户|帐户|储蓄卡|信用卡|存折|工资卡|对公户|打到|转到|汇到)[^0-9\n>]{0,10}?((?:\d[\s-]?){11,18}\d)(?!\d)"
)
_DOCUMENT_TOLD = re.compile(
    r"(?:护照|通行证|回乡证|台胞证|居住证|社保号|社保卡号?|社保编号|医保号|医保卡号?|医保编号|参保号|个人编号|残疾人?证|学籍号?|驾驶证|驾照|档案编?号|军官证|士兵证"
    r"|退役军人证|优待证|老年证|准考证|就诊卡|病历号|住院号|门诊号|诊疗卡|体检号|保单号|学号|工号|警号|证件号码?|老年卡|学生证|卡号|证号)"
    r"[^0-9A-Za-z\n，。；>]{0,8}?([A-Za-z]{0,3}字?第?(?:\d[\s-]?){5,19}\d[Xx]?\d{0,2})(?![\d年月元])"
)
_DOCUMENT_SERIAL = re.compile(r"[南北沈济兰广成空海军][\u4e00-\u9fff]?字第\d{6,9}号")
_DOCUMENT = re.compile(rf"{_ALONE}(?:E[A-HJ-NP-Z]\d{{7}}|[EGCHM]\d{{8}})(?![0-9A-Za-z])")
_HOUSEHOLD_TOLD = re.compile(
    r"(?:户号|用户编?号|缴费号|缴费编号|客户编?号|客户代码|表号|燃气号|宽带账号|宽带号|户名编号|用电编号|用水编号|用气编号|户头号)"
    r"[^0-9\n，。；>]{0,6}?((?:\d[\s-]?){5,18}\d)(?![\d元])"
)
_MOBILE = re.compile(rf"{_ALONE}(?:\+?86{_GAP})?(1{_GAP}[3-9](?:{_GAP}\d){{9}})(?!\d)")
_MOBILE_STARRED = re.compile(rf"{_ALONE}1[3-9]?\d?{_STAR}{{3,10}}\d{{0,6}}(?!\d)")
_LANDLINE = re.compile(
    rf"{_ALONE}[(（]?0(?:10|2\d|[3-9]\d{{2}})[)）]?[\s\-－—,，]{{0,2}}[2-9]\d{{2,3}}[\s-]?\d{{4}}(?!\d)(?:\s?[转\-－—#]\s?\d{{1,6}})?"
)
_LANDLINE_TOLD = re.compile(
    r"(?:电话|座机|固话|致电|拨打|来电|联系方式|手机|(?<!发票)号码|家里打|打家里|tel)[^0-9\n>]{0,6}?([2-9]\d{2,3}[\s-]?\d{4})(?!\d)(?:\s?[转\-－—#]\s?\d{1,6})?",
    re.IGNORECASE,
)
_LOCAL = re.compile(r"[\s，,：:（(]{0,3}(?:电话|座机)?[\s：:]{0,2}([2-9]\d{6,7})(?!\d)")
_GROUP = re.compile(r"\d+")
_SPOKEN_PAUSE = re.compile(r"[0-9０-９]\s?[,，、]\s?[0-9０-９]")

_STRETCH = re.compile(rf"[{_DIGITS}](?:[^{_DIGITS}]{{0,2}}[{_DIGITS}]|[*＊xX×]){{5,}}")
_BEFORE, _BEHIND = 24, 8  # characters around a stretch of digits in which words may say what it is

Span = tuple[int, int, str]


def find_numbers(text: str) -> list[Span]:
    """Where numbers of persons stand in `text`, and of which kind each is; the surest kind first, overlaps possible.

    Numbers in Arabic digits are looked for first as they stand (`138…一直` ends before 一), then with digits read aloud.
    """
    plain, read = [], []
    for stretch in _STRETCH.finditer(text):
        begin = max(0, stretch.start() - _BEFORE)
        window = text[begin : stretch.end() + _BEHIND]
        plain.append((begin, window.translate(_WIDE)))
        if _READ.search(stretch[0]):
            read.append((begin, window.translate(_SHADOW)))
    return [
        (begin + start, begin + end, kind)
        for finder in (_identities, _cards, _documents, _phones)
        for begin, window in (*plain, *read)
        for start, end, kind in finder(window, text[begin : begin + len(window)])
    ]


def local_number(text: str, end: int) -> Span | None:
    """A telephone number without area code right behind a name that ends at `end`."""
    match = _LOCAL.match(text, end)
    return (*match.span(1), PHONE) if match else None


def _identities(shadow: str, _written: str) -> Iterator[Span]:
    for match in _IDENTITY.finditer(shadow):
        compact = _LETTERED.sub("", match[1]).upper()
        if mod_11_2.is_valid(compact) and "1900" <= compact[6:10] <= "2099":
            yield *match.span(), IDENTITY
    for match in _IDENTITY_TOLD.finditer(shadow):
        yield *match.span(1), IDENTITY
    for match in _IDENTITY_STARRED.finditer(shadow):
        yield *match.span(), IDENTITY


def _documents(shadow: str, _written: str) -> Iterator[Span]:
    for pattern in (_DOCUMENT, _DOCUMENT_SERIAL):
        for match in pattern.finditer(shadow):
            yield *match.span(), DOCUMENT
    for match in _DOCUMENT_TOLD.finditer(shadow):
        yield *match.span(1), DOCUMENT
    for match in _HOUSEHOLD_TOLD.finditer(shadow):
        yield *match.span(1), HOUSEHOLD


def _cards(shadow: str, _written: str) -> Iterator[Span]:
    for match in _CARD.finditer(shadow):
        if luhn.is_valid(re.sub(r"[\s-]", "", match[0])):
            yield *match.span(), CARD
    for match in _CARD_TOLD.finditer(shadow):
        yield *match.span(1), CARD


def _phones(shadow: str, written: str) -> Iterator[Span]:
    for match in _MOBILE.finditer(shadow):
        if _read_as_one(written[slice(*match.span(1))], match[1]):
            yield *match.span(), PHONE
    for pattern in (_MOBILE_STARRED, _LANDLINE):
        for match in pattern.finditer(shadow):
            yield *match.span(), PHONE
    for match in _LANDLINE_TOLD.finditer(shadow):
        yield match.start(1), match.end(), PHONE


def _read_as_one(written: str, shadow: str) -> bool:
    """Whether eleven digits with gaps are one number, not a row of bus lines or a span of years."""
    groups = [len(group) for group in _GROUP.findall(shadow)]
    if len(groups) == 1:
        return True
    if _SPOKEN_PAUSE.search(written):
        return False
    if "." in written or "-" in written:
        return min(groups) >= 3
    return True

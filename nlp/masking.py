"""Masking: personal data to typed placeholders before anything is stored, logged or indexed.

Numbers are found on a shadow of the text in which Chinese digits stand as Arabic ones, character for
character, so a number read aloud is found at its true place. Identity numbers follow GB 11643 (ISO 7064
MOD 11-2), bank cards ISO/IEC 7812 (Luhn); a failed check is masked all the same when the words before it
say what it is, for a mistyped number is still somebody's.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

from stdnum import luhn
from stdnum.iso7064 import mod_11_2

from nlp.paths import dataset_path
from nlp.records import MaskedSpan, MaskedText

PLACEHOLDER = re.compile(r"<[\u4e00-\u9fff]{2,4}>")

_SHADOW = str.maketrans(
    "零〇○一二三四五六七八九幺壹贰叁肆伍陆柒捌玖两０１２３４５６７８９",
    "00012345678911234567892" + "0123456789",
)
_GAP = r"[\s\-－—_.·,，、]{0,2}"
_STAR = r"[*＊xX×]"
_PROVINCES = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼"

_IDENTITY = re.compile(r"(?<![0-9A-Za-z])[1-9]\d{5}(?:[\s-]?\d){11}[\s-]?[\dXx](?![0-9A-Za-z])")
_IDENTITY_TOLD = re.compile(
    r"(?:身份证|身份号|公民身份|证件号|ID)[^0-9\n]{0,8}?((?:\d[\s-]?){14,17}[\dXx]|\d{3,10}[*＊xX×]{3,12}[\dXx]{0,4})"
)
_CARD = re.compile(
    r"(?<![0-9A-Za-z])[1-9]\d{3}(?:[\s-]?\d{4}){2}[\s-]?\d{4}(?:[\s-]?\d{1,3})?(?![0-9A-Za-z])"
)
_CARD_TOLD = re.compile(
    r"(?:银行卡|卡号|账号|帐号|账户|帐户|储蓄卡|信用卡|社保卡|存折)[^0-9\n]{0,10}?((?:\d[\s-]?){11,18}\d)(?!\d)"
)
_MOBILE = re.compile(rf"(?<![0-9A-Za-z])(?:\+?86{_GAP})?1{_GAP}[3-9](?:{_GAP}\d){{9}}(?!\d)")
_MOBILE_STARRED = re.compile(rf"(?<![0-9A-Za-z])1[3-9]?\d?{_STAR}{{3,10}}\d{{0,6}}(?!\d)")
_LANDLINE = re.compile(
    r"(?<![0-9A-Za-z])[(（]?0(?:10|2\d|[3-9]\d{2})[)）]?[\s\-－—]?[2-9]\d{2,3}[\s-]?\d{4}(?!\d)"
)
_LANDLINE_TOLD = re.compile(
    r"(?:电话|座机|致电|拨打|来电|联系方式|手机|号码|tel)[^0-9\n]{0,6}?([2-9]\d{2,3}[\s-]?\d{4})(?!\d)",
    re.IGNORECASE,
)
_EMAIL = re.compile(
    r"[A-Za-z0-9._%+\-]{1,64}\s?@\s?[A-Za-z0-9\-]{1,63}(?:\.[A-Za-z0-9\-]{1,63}){0,3}\.[A-Za-z]{2,12}"
)
_PLATE = re.compile(
    rf"[{_PROVINCES}]\s?[A-HJ-NP-Za-hj-np-z]\s?[·•.\-]?\s?(?=[A-Za-z]{{0,5}}\d)[A-HJ-NP-Za-hj-np-z\d]{{4,5}}[A-HJ-NP-Za-hj-np-z\d挂学警港澳]"
    r"(?![0-9A-Za-z])"
)
_ACCOUNT = re.compile(
    r"(?:微信|微信号|薇信|威信|V信|v信|vx|VX|wx|WX|加[vV]|QQ|qq|扣扣|企鹅号?|抖音号|快手号|支付宝)"
    r"(?:号码?|群|账号|帐号|联系)?\s*(?:[:：是为]|号是)?\s*"
    r"([A-Za-z][A-Za-z0-9_\-]{5,19}|\d{5,12})(?![A-Za-z0-9])"
)

_ROOM_LEVEL = r"(?:\d{1,4}|[一二三四五六七八九十]{1,3})"
_ROOM = re.compile(
    rf"(?:{_ROOM_LEVEL}|[A-Za-z])\s?(?:号楼|栋|幢|座|号院|弄|号)[\s,，-]?(?:{_ROOM_LEVEL}\s?(?:单元|门|梯)[\s,，-]?)?"
    r"(?:[A-Za-z]?\d{3,4}[A-Za-z]?(?:室|房|号房|号|户)?)(?![\d元块天年个米度吨平方.]|[多余来]?(?:户|人|元|平|万|亩))"
    rf"|{_ROOM_LEVEL}\s?单元[\s,，-]?(?:[A-Za-z]?\d{{2,4}}(?:室|房|号|户)?|{_ROOM_LEVEL}[楼层]?(?:东|西|中)?户)(?!\d|[多余来]?(?:户|人|元))"
    r"|(?<![\d.])\d{1,3}[-－—]\d{1,2}[-－—]\d{2,4}(?![-－—\d年月日])(?:室|房|号|户)?"
    r"|(?<![\d.A-Za-z])[A-Za-z]?\d{3,4}(?:室|号房)(?!外|内温)"
)
_STREET_NUMBER = re.compile(
    r"(?<=[路街巷弄道里村组队屯庄胡同])\s?(?:门牌)?(\d{1,4}(?:[-－—附之]\d{1,3})?号(?!线|楼|公交|车|地铁|门|口|桥|井|站|文|令|修改|院))"
    r"|(?<=[路街巷道])(\d{1,4}弄\d{1,3}号)"
)

_ADDRESS = re.compile(
    r"[\d一二三四五六七八九十A-Za-z]\s?(?:单元|[号栋幢座弄])|\d{3}|\d[-－—]\d"
)  # every address holds one

_NAME_CUE = (
    r"(?:我叫做?|名叫|姓名(?:是|为)?|我名字(?:是|叫)|我的名字(?:是|叫)|联系人(?:是|为)?|户主(?:是|为|叫)?|经办人|来电人(?:是|叫)|投诉人|举报人|申请人|信访人|反映人|"
    r"当事人|本人姓名|本人叫|本人(?=[{s}][\u4e00-\u9fff]{{1,2}}[，,。、;；(（\s])|报警人|户名|收款人|收件人|诉求人|监护人|法定代表人|法人代表|法人(?!代表))"
    r"\s*[:：]?\s*(?:是|叫)?\s*"
)
_CUE = re.compile(r"我叫|我的?名字|名叫|[人主办]|姓名|本人|法[定人]|户名")
_FOLLOWS_NAME = r"(?=$|[^\u4e00-\u9fff]|今年|住在|家住|是|在|的|和|与|因|于|系|现|来|电话|手机|身份|男|女|汉族|先生|女士|反映|要求|投诉|称|说|向|我|有|想|从|户|住|家)"
_NOT_A_NAME = re.compile(
    r"(?:[何什都和于时那通相从后向能成经应管别强明平全常关国公文高家连越方简路边东利司单水双古满万尤区])|(?:谢谢|丁香)"
)
_NO_NAME_INSIDE = re.compile(r"代表|其他|费用|[中小大]学|单位|公司|银行|部门|政府")
_TITLES = (
    r"先生|女士|小姐|太太|大爷|大妈|阿姨|叔叔|大叔|奶奶|爷爷|师傅|老师|医生|护士|主任|书记|经理|律师|警官"
)
_TITLE = re.compile(_TITLES)
_PLACE_AFTER = re.compile(r"[家庄村桥店湾沟屯坝镇营集河堡]")

Span = tuple[int, int, str]


@lru_cache(maxsize=1)
def _surnames() -> tuple[str, str]:
    singles, compounds = dataset_path("surnames.txt").read_text("utf-8").splitlines()[:2]
    return singles, "|".join(compounds.split())


@lru_cache(maxsize=1)
def _name_patterns() -> tuple[re.Pattern[str], re.Pattern[str]]:
    singles, compounds = _surnames()
    family = rf"(?:{compounds}|[{singles}])"
    given = rf"(?:[\u4e00-\u9fff]{{2}}{_FOLLOWS_NAME}|[\u4e00-\u9fff]{{1}}{_FOLLOWS_NAME}|某某?|[*＊×xX]{{1,2}}|[\u4e00-\u9fff]{{1,2}})"
    told = re.compile(_NAME_CUE.format(s=singles) + rf"({family}{given})")
    titled = re.compile(rf"(?<![\u4e00-\u9fff])({family}[\u4e00-\u9fff]{{1,2}})(?=(?:{_TITLES}))")
    return told, titled


def _numbers(shadow: str) -> Iterator[Span]:
    for match in _IDENTITY.finditer(shadow):
        compact = re.sub(r"[\s-]", "", match[0]).upper()
        if mod_11_2.is_valid(compact) and "1900" <= compact[6:10] <= "2099":
            yield *match.span(), "身份证"
    for match in _IDENTITY_TOLD.finditer(shadow):
        yield *match.span(1), "身份证"
    for match in _CARD.finditer(shadow):
        if luhn.is_valid(re.sub(r"[\s-]", "", match[0])):
            yield *match.span(), "银行卡"
    for match in _CARD_TOLD.finditer(shadow):
        yield *match.span(1), "银行卡"
    for match in _MOBILE.finditer(shadow):
        if len(re.findall(r"\D+", match[0].removeprefix("+86").removeprefix("86"))) <= 4:
            yield *match.span(), "电话"
    for pattern in (_MOBILE_STARRED, _LANDLINE):
        for match in pattern.finditer(shadow):
            yield *match.span(), "电话"
    for match in _LANDLINE_TOLD.finditer(shadow):
        yield *match.span(1), "电话"


def _accounts(text: str) -> Iterator[Span]:
    for match in _EMAIL.finditer(text):
        yield *match.span(), "邮箱"
    for match in _ACCOUNT.finditer(text):
        yield *match.span(1), "账号"
    for match in _PLATE.finditer(text):
        yield *match.span(), "车牌"


def _names(text: str) -> Iterator[Span]:
    told, titled = _name_patterns()
    for match in told.finditer(text) if _CUE.search(text) else ():
        name = match[1]
        if not (len(name) == 2 and _PLACE_AFTER.match(name[1])) and not _NO_NAME_INSIDE.search(name):
            yield *match.span(1), "姓名"
    for match in titled.finditer(text) if _TITLE.search(text) else ():
        if not _NOT_A_NAME.match(match[1]) and not _NO_NAME_INSIDE.search(match[1]):
            yield *match.span(1), "姓名"


def _addresses(text: str) -> Iterator[Span]:
    if not _ADDRESS.search(text):
        return
    for match in _ROOM.finditer(text):
        yield *match.span(), "门牌"
    for match in _STREET_NUMBER.finditer(text):
        yield *match.span(1 if match[1] else 2), "门牌"


_NUMBER = re.compile(r"(?:\d\D{0,2}){7}|\d[*＊xX×]{3}")  # every number of a person's holds one
_FINDERS: tuple[Callable[[str], Iterator[Span]], ...] = (_accounts, _names, _addresses)


def mask(text: str) -> MaskedText:
    """Replace personal data in `text` by `<电话>`, `<身份证>`, `<银行卡>`, `<邮箱>`, `<车牌>`, `<账号>`, `<姓名>`, `<门牌>`.

    The spans say where each placeholder's original stood in `text`, in order and without overlap.
    Masking masked text changes nothing.
    """
    shadow = text.translate(_SHADOW)
    found: list[Span] = []
    if _NUMBER.search(shadow):
        found.extend(_numbers(shadow))
    for finder in _FINDERS:
        found.extend(finder(text))
    if not found:
        return MaskedText(text)
    taken: list[Span] = []
    for start, end, kind in found:  # earlier finders win
        if all(end <= other_start or start >= other_end for other_start, other_end, _ in taken):
            taken.append((start, end, kind))
    taken.sort()
    pieces: list[str] = []
    position = 0
    for start, end, kind in taken:
        pieces += (text[position:start], f"<{kind}>")
        position = end
    pieces.append(text[position:])
    return MaskedText("".join(pieces), tuple(MaskedSpan(kind, start, end) for start, end, kind in taken))

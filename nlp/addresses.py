"""Addresses: the part of an address that leads to one household; estate, road and village stay, for help is sent there."""

from __future__ import annotations

import re
from collections.abc import Iterator

_CHINESE = "零〇一二三四五六七八九十百"
_LEVEL = rf"(?:\d{{1,4}}|[{_CHINESE}]{{1,4}})"
_ROOM_NUMBER = r"(?:[A-Za-z]?-?\d{3,4}[A-Za-z]?|[零〇一二三四五六七八九幺]{3,4})"
_SIDE = r"(?:[东西南北中左右](?:边|侧|面|手边)?(?:户|门|间)?)"
_FLOOR = (
    rf"(?:{_LEVEL}\s?[楼层](?:{_SIDE}|(?:\d{{1,2}}|[一二三四五六七八九十])(?:号|户|室))|{_LEVEL}{_SIDE}户)"
)
_NOT_COUNTED = r"(?![\d元块天年个米度吨平方.％%]|[多余来]?(?:户|人|元|平|万|亩|名))"
_BUILDING = rf"(?:[A-Za-z]\s?[区座]\s?)?(?:{_LEVEL}|[A-Za-z]\d{{0,2}}|[东西南北])\s?(?:[#＃]楼?|号楼|栋楼?|幢|座|号院|号|弄)"
_DOOR = r"(?:\s?(?:室|号房|房|号|户))?"
_GAP = r"[\s,，-]?"

_ROOM = re.compile(
    rf"(?:{_BUILDING}{_GAP}){{1,2}}(?:{_LEVEL}\s?(?:单元|门|梯){_GAP})?(?:{_ROOM_NUMBER}{_DOOR}|{_FLOOR}){_NOT_COUNTED}"
    rf"|{_BUILDING}\s?{_LEVEL}\s?单元"
    r"|(?<![零〇一二三四五六七八九])[一二三四五六七八九]{1,2}零[一二三四五六七八九](?![零〇一二三四五六七八九路线国省道年块元号医厂])"
    r"|(?<![\d.A-Za-z])\d{3,4}(?=业主|住户|租户|那家|那户|家里)"
    rf"|{_LEVEL}\s?单元{_GAP}(?:[A-Za-z]?\d{{2,4}}{_DOOR}|{_ROOM_NUMBER}{_DOOR}|{_FLOOR})(?!\d|[多余来]?(?:户|人|元))"
    rf"|(?<![\d.A-Za-z])(?:[A-Za-z]?\d{{1,3}}[-－—]){{2,3}}\d{{2,4}}(?![-－—\d年月日]){_DOOR}"
    rf"|(?<![\d.A-Za-z])[A-Za-z]?\d{{3,4}}(?:室|号房)(?!外|内温)"
    rf"|(?<=公寓|宿舍|大厦)[A-Za-z]?\d{{3,4}}(?![\d元块年米人户个.多余路线])"
)
_STREET_NUMBER = re.compile(
    rf"(?:\d{{1,3}}|[{_CHINESE}]{{1,3}})\s?[组队社]\s?(?:门牌)?(?:附|新|老)?(?:\d{{1,4}}(?:[-－—附之]\d{{1,3}})?|[{_CHINESE}]{{1,4}})号(?!线|楼|令|文|修改)"
    r"|\d{1,4}弄\s?\d{1,3}号(?:\s?\d{3,4}室?)?"
    rf"|(?<=[路街巷弄道里村屯庄胡同坊])\s?(?:门牌)?(?:门牌号)?(?:甲|乙|附|新|老)?(?:\d{{1,4}}(?:[-－—附之]\d{{1,3}})?|[{_CHINESE}]{{1,4}})号(?:附\d{{1,3}}号|之[一二三四五六七八九])?(?!线|楼|公交|车|地铁|门(?![前口外])|口|桥|井|站|文|令|修改|杆|灯|泵)"
)
_STRETCH = re.compile(
    rf"[\d{_CHINESE}幺A-Za-z#＃栋幢座弄号楼单元室房户门梯层东西南北中左右边侧面间院甲乙附新老组队社之牌区\-－—,，\s]{{3,}}"
)
_MARKED = re.compile(
    rf"[\d{_CHINESE}A-Za-z东西南北]\s?(?:单元|[#＃栋幢座弄号楼层室房])|\d[-－—]\d|\d{{3}}|零[一二三四五六七八九]"
)
_AHEAD = 3  # characters behind an address that may say it is none


_DOOR_BEFORE = re.compile(r"(?:^|[^\dA-Za-z.\-])(\d{3,4}(?:室|房)?)\s?$")


def door_before(text: str, name: int) -> tuple[int, int] | None:
    """Where the room number stands that opens a list's entry, right before the name that starts at `name`."""
    match = _DOOR_BEFORE.search(text, max(0, name - 8), name)
    return match.span(1) if match else None


def find_addresses(text: str) -> Iterator[tuple[int, int]]:
    """Where rooms, doors and house numbers stand in `text`."""
    for stretch in _STRETCH.finditer(text):
        if _MARKED.search(text, *stretch.span()):
            place = stretch.start(), stretch.end() + _AHEAD
            for pattern in (_ROOM, _STREET_NUMBER):
                for match in pattern.finditer(text, *place):
                    yield match.span()

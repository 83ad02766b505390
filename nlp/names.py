"""Names: where full names of persons stand in a text.

A name is told by what stands around it: a word before it (联系人, 丈夫, 我叫), a title, an age, a telephone or identity
number after it, or another name beside it. `datasets/name_cues.tsv` holds the words; a `declared` one is followed by
a name whatever its characters, a `likely` one only where surname and given name look like one; a `word` only looks
like a name. A name found
once is found everywhere in the same text. A surname with a title (王阿姨) or a nickname (老张) is nobody's full name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from nlp.paths import dataset_path
from nlp.spelling import any_of

_HAN = r"[\u4e00-\u9fff]"
_END = r"(?=$|[^\u4e00-\u9fff])"
_TITLES = r"先生|女士|小姐|太太|大爷|大妈|大哥|大姐|阿姨|叔叔|大叔|奶奶|爷爷|师傅|老师|医生|大夫|护士|主任|书记|经理|律师|警官|同志|校长|院长|所长|局长|村长|支书|老板|队长|法官|民警|老人|大娘|老太"
_TITLE = re.compile(_TITLES)
_NEXT = (
    r"(?=联系|电话|手机|身份证|证件|先生|女士|同志|反映|来电|住在|家住|家在|今年|现年|等[\d一二三四五六七八九十两]|[一二两三四五六七八九十]+人"
    rf"|说道?[，,：:]|表示|提出|认为|建议|同意|反对|报警|报案|求助|{_TITLES})"
)
_SOFT = r"(?=[是在的和与因于系现男女称说向从住就]|今年|汉族|要求|投诉|户)"
_DOT = r"[·•・‧]"
_DOTS = re.compile(_DOT)

# surnames that open ordinary words more often than names: they need two given characters and an end after them
_AMBIGUOUS = (
    "于时成常和安乐方平明白车都相从通应向满国全公文连越简东利司单水双古尤区关广易充经计别强管终边房支甘米金石温查后红花"
    "曲封井段富景幸农阳原代帅冷那空由能家商游元万宫项解阮干展宿包幸桑麻盛昌云费权益养鱼沙班屠盖党衡楚修续初战门银火药信由过来开母那前查展边官况水问言"
)
# compound surnames that are nothing else
_RARE_COMPOUND = "(?:欧阳|司[马徒空]|上官|诸葛|皇甫|尉迟|令狐|慕容|夏侯|端木|独孤|长孙|宇文|闻人|呼延|轩辕|澹台|公冶|申屠|钟离|赫连|拓跋|完颜)"
_HOLDS_A_WORD = r"屋|代表|其他|费用|[中小大]学|单位|公司|银行|部门|政府|学校|社区|小区|物业|联系|电话|手机|号码|致电|拨打|咨询|微信|客服|热线|地址|方式|短信|查询|居委|街道|政务|医院|双方|业主|居民|市民|村民|先生|女士"
_SAYS_OF_A_PERSON = re.compile("[男女岁]")
_LINK = r"(?:[\s，,、：:；;（(|/＋+]|联系|移动|手机|电话|身份证|证件|护照|号码|号|微信|[Tt]el)"
_BEFORE_A_CLAUSE = r"，,、。；;：:！!？?\s（(“”\"》】/"
_DOES = "(?=[的说称因与和跟等被把将在是又就也都从向对给家签提掏来打去住要反表同拒带走答])"
_PLACE_AFTER = r"(?![路街村镇乡县市省桥湖河江店厂庄苑馆巷弄湾沟屯坝营集堡])"


@dataclass(frozen=True, slots=True)
class _Patterns:
    """`cue` finds a word before a name, `named` by its strength the name behind it; `alone` a name that opens a clause, `opening` the text,
    `indoors` one behind a room number, `titled` and `before` one at the end of a text that a title, or an age or a
    number, follows, `next_one` the next name of a list, `foreign` names of two parts.
    """

    strengths: Mapping[str, str]
    cue: re.Pattern[str]
    named: Mapping[str, re.Pattern[str]]
    alone: re.Pattern[str]
    opening: re.Pattern[str]
    titled: re.Pattern[str]
    before: re.Pattern[str]
    next_one: re.Pattern[str]
    indoors: re.Pattern[str]
    compound: re.Pattern[str]
    foreign: re.Pattern[str]
    word: re.Pattern[str]
    surname: re.Pattern[str]


def _lines(name: str) -> list[str]:
    return dataset_path(name).read_text("utf-8").splitlines()


@lru_cache(maxsize=1)
def _patterns() -> _Patterns:
    singles, compounds, *_ = _lines("surnames.txt")
    given, transcribed, *_ = _lines("given_names.txt")
    cues = [line.split("\t") for line in _lines("name_cues.tsv")[1:]]
    strengths = {cue: strength for cue, strength in cues if strength != "word"}
    words = [cue for cue, strength in cues if strength == "word"]
    pairs = any_of(compounds.split())
    family = rf"(?:{pairs}|[{singles}])"
    clear = rf"(?:{pairs}|[{''.join(c for c in singles if c not in _AMBIGUOUS)}])"
    g, t = f"[{given}]", f"[{transcribed}]"
    foreign = rf"{t}{{2,8}}{_DOT}{t}{{2,8}}"
    whole = rf"{clear}{_HAN}{{1,2}}{_END}|{family}{g}{{1,2}}{_END}"
    shaped = (
        rf"{foreign}|{t}{{3,6}}(?={_END}|[是在的和])|{clear}{g}{g}{_PLACE_AFTER}|{family}{g}{g}(?:{_END}|{_NEXT}|{_DOES})"
        rf"|{clear}{g}(?:{_END}|{_NEXT}|{_SOFT})|{clear}[某＊*×]{{1,2}}"
    )
    told = (
        rf"{_HAN}{{1,8}}(?:{_DOT}{_HAN}{{1,8}})+|{t}{{3,6}}{_END}|{clear}{_HAN}{_NEXT}|{clear}{_HAN}{{2}}{_NEXT}|{family}{_HAN}{{1,2}}{_END}"
        rf"|{family}{g}{g}|{family}{g}{_SOFT}|{clear}{_HAN}{{1,2}}{_SOFT}|{family}[某＊*×xX]{{1,2}}|{clear}{_HAN}{{2}}"
    )
    formed = rf"(?<=[:：])(?!匿名|不详|保密|未知|同上|不愿){_HAN}{{2,4}}{_END}"
    said = r"[\s]{0,3}(?:[:：,，]|是|叫做?|名叫|为|姓名|名字叫?)?[\s:：]{0,3}"
    clause = rf"(?!..[河城园溪]){clear}{g}{g}(?:{_END}|{_NEXT}|{_DOES})"
    return _Patterns(
        strengths,
        re.compile(rf"(?=[{''.join(sorted({cue[0] for cue in strengths}))}])({any_of(strengths)}){said}"),
        {
            "declared": re.compile(f"{told}|{formed}"),
            "role": re.compile(f"{shaped}|{whole}"),
            "likely": re.compile(shaped),
        },
        re.compile(rf"[{_BEFORE_A_CLAUSE}的是叫找给跟与由被向让请和及对把将替室房户号员者]({clause})"),
        re.compile(clause),
        re.compile(
            rf"(?:^|[^\u4e00-\u9fff])({family}{_HAN}{{1,2}})$|[\u4e00-\u9fff]({clear}[老{given}]{g})$"
        ),
        re.compile(
            rf"(?:^|[^\u4e00-\u9fff]|[室号栋幢座户岁人叫是员长父母子女妻夫楼系层元])"
            rf"({family}{g}{g}|{clear}{g}|(?<![\u4e00-\u9fff])(?:{clear}{_HAN}{{2}}|{t}{{3,6}})){_LINK}{{0,8}}(?:[\d一二三四五六七八九十]{{1,3}})?$"
        ),
        re.compile(
            rf"\s?(?:[（(][^（）()\n]{{0,40}}[)）])?(?:\s?(?:[、，,；;/]|和|及|与)\s?(?:\d{{1,2}}[、.．])?\s?|\s{{1,3}})"
            rf"({family}{g}{g}|{clear}{g}|{clear}{_HAN}{{2}}(?=[、（(])|{t}{{3,6}})(?:{_END}|{_NEXT}|(?=[等和及与]))"
        ),
        re.compile(rf"\d{{3}}(?:室|房|户)?\s?({family}{g}{{1,2}})(?=[\s，,（(：:])"),
        re.compile(rf"{_RARE_COMPOUND}{g}{{1,2}}{_PLACE_AFTER}"),
        re.compile(foreign),
        re.compile(rf"{any_of(words)}|.{{0,3}}(?:{_HOLDS_A_WORD})|..[湖镇乡村路街市县区省苑]"),
        re.compile(rf"姓({family})(?!名|氏)"),
    )


def find_names(text: str, numbers: Iterable[int] = (), doors: bool = False) -> list[tuple[int, int]]:
    """Where names stand in `text`; `numbers` are the starts of telephone and identity numbers in it, `doors` says
    whether it may hold room numbers.

    Spans may repeat one another, and come in no order.
    """
    patterns = _patterns()
    found = list(_beside_words(text, patterns))
    if doors:
        found.extend(match.span(1) for match in patterns.indoors.finditer(text))
    persons = (match.start() for match in _SAYS_OF_A_PERSON.finditer(text))
    for end in (*numbers, *persons):
        found.extend(_ending_at(text, end, patterns.before))
    if _DOTS.search(text):
        found.extend(match.span() for match in patterns.foreign.finditer(text))
    found = [(start, end) for start, end in found if not patterns.word.match(text, start, end)]
    if not found:
        return []
    found.extend(_listed_after(text, [end for _, end in found], patterns))
    return [*found, *_again(text, {text[start:end] for start, end in found})]


def _beside_words(text: str, patterns: _Patterns) -> Iterator[tuple[int, int]]:
    for cue in patterns.cue.finditer(text):
        if name := patterns.named[patterns.strengths[cue[1]]].match(text, cue.end()):
            yield name.span()
    if opening := patterns.opening.match(text):
        yield opening.span()
    for match in patterns.alone.finditer(text):
        yield match.span(1)
    for match in patterns.compound.finditer(text):
        yield match.span()
    for match in patterns.surname.finditer(text):
        yield from _with_surname(text, match[1])
    for title in _TITLE.finditer(text):
        for start, end in _ending_at(text, title.start(), patterns.titled):
            if text[start] not in _AMBIGUOUS:
                yield start, end


def _ending_at(text: str, end: int, pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
    match = pattern.search(text, max(0, end - 16), end)
    if match:
        yield match.span(match.lastindex or 0)


def _with_surname(text: str, surname: str) -> Iterator[tuple[int, int]]:
    """Names of whom the text says the surname: 我姓范，范秋生."""
    for match in re.finditer(rf"(?<![\u4e00-\u9fff]){surname}{_HAN}{{1,2}}(?:{_END}|{_NEXT})", text):
        yield match.span()


def _listed_after(text: str, ends: Iterable[int], patterns: _Patterns) -> Iterator[tuple[int, int]]:
    seen: set[int] = set()
    for end in ends:
        while end not in seen and (match := patterns.next_one.match(text, end)):
            seen.add(end)
            if patterns.word.match(match[1]):
                break
            yield match.span(1)
            end = match.end(1)


def _again(text: str, names: Iterable[str]) -> Iterator[tuple[int, int]]:
    for name in names:
        if len(name) < 3 and name[0] in _AMBIGUOUS:
            continue
        start = text.find(name)
        while start >= 0:
            yield start, start + len(name)
            start = text.find(name, start + len(name))

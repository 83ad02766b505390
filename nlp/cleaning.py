"""Cleaning: one profile of steps per source, so that the same wish reads the same from every channel."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

import opencc

from nlp.spelling import mend_spellings
from nlp.taxonomy import Taxonomy, TaxonomyError

Step = Callable[[str], str]

_FULL_WIDTH: dict[int, int | str] = {
    code: code - 0xFEE0 for code in range(0xFF10, 0xFF5B) if chr(code - 0xFEE0).isalnum()
}
_FULL_WIDTH |= {0xFF03: "#", 0xFF20: "@", 0xFF0F: "/", 0xFF3B: "[", 0xFF3D: "]", 0xFF05: "%", 0xFF0B: "+"}
_FULL_WIDTH |= {0x3000: " ", 0xA0: " ", 0x200B: "", 0x200C: "", 0x200D: "", 0x2060: "", 0xFEFF: ""}
_WIDE = re.compile(f"[{''.join(map(chr, _FULL_WIDTH))}]")
_UNPRINTABLE = re.compile(
    r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff\u202a-\u202e\u2066-\u2069]"
)

_URL = re.compile(
    r"(?:https?://|www\.)[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=%]+|(?<![A-Za-z0-9@])t\.cn/[A-Za-z0-9]+"
)
_FORWARD = re.compile(r"//\s*@[^:：\s]{1,30}\s*[:：]|回复\s*@[^:：\s]{1,30}\s*[:：]")
_FORWARD_ONLY = re.compile(r"^(?:转发微博|轉發微博|转发|轉發|repost|forward)[。.!！ ]*", re.IGNORECASE)
_MENTION = re.compile(r"(?<![A-Za-z0-9._%+-])@[\w\-·•]{1,30}")
_HASHTAG = re.compile(r"#([^#\n]{1,60})#|【([^】\n]{1,60})】")
_EMOTICON = re.compile(r"\[[A-Za-z\u4e00-\u9fff]{1,8}\]")
_EMOJI = re.compile(
    "[\U0001f000-\U0001faff\u2600-\u27bf\u2b00-\u2bff\u2300-\u23ff\ufe0e\ufe0f\u20e3\U000e0020-\U000e007f]+"
)

_TURN = re.compile(
    r"(坐席|座席|客服|话务员|接线员|工作人员|市民|来电人|群众|居民|用户|诉求人)(?:\d{1,5})?\s*[:：]"
)
_AGENTS = frozenset({"坐席", "座席", "客服", "话务员", "接线员", "工作人员"})
_FILLER = re.compile(
    r"(?:嗯|呃|唔)+[，,、\s]*|(?<![\u4e00-\u9fff])(?:额|啊|哦|喂)+[，,、\s]+|(?:就是说|然后呢|怎么说呢|那个那个|这个这个)[，,、\s]*"
)
_STUTTER = re.compile(r"(我|你|他|她|它|我们|你们|他们|这个|那个|就是|因为|所以|然后)(?:[，,、\s]*\1)+")
_DIGITS = r"[\d零〇一二三四五六七八九十百两幺]{1,6}"
_UNITS = r"号楼|栋|幢|单元|楼|号|点|月|日|天|块|元|万|路|年|岁|个人|个|户"
_CORRECTION = re.compile(
    rf"{_DIGITS}({_UNITS})[，,、\s]*(?:哦|噢|啊|哎)?[，,、\s]*(?:不对|不是|说错了|错了)[，,、\s]*(?:是|应该是)?({_DIGITS}\1)"
)

_SPOKEN = str.maketrans("零〇一二三四五六七八九幺", "001234567891")
_SPOKEN_NUMBER = re.compile(r"[零〇一二三四五六七八九幺]{4,}|[零〇一二三四五六七八九]{2}(?=年(?!纪|龄|级))")
_NOT_A_NUMBER = re.compile(r"^(?:一一+|三三两两|七七八八|一五一十|三三+|一二三四)")
_REPEATED = re.compile(r"(.)\1{3,}|((?:.{2,4}?))\2{3,}", re.DOTALL)
_SPACES = re.compile(r"[ \t\r\f\v]+")
_BLANKS = re.compile(r"\s*\n\s*")
_NON_ANSWER = re.compile(
    r"(?:(?:暂时|目前|暂|都|我)?(?:无|没有|没|木有|没啥|没什么|无意见|没意见|没有意见|没有了|无建议|没有建议|没想法|没想好)"
    r"|(?:意见|建议|需求|诉求)?(?:无|没有)|同上|如上|见上|不知道|不清楚|不详|说不好|不填|略|随便|都行|都可以|还行|可以|挺好|很好"
    r"|满意|一切都好|没有什么(?:意见|建议|需求)?|没什么(?:意见|建议|需求|要说的|好说的)?|na|n/a|none|no|nil|null|test|测试)"
    r"(?:啊|呢|吧|哈|了|的)?",
    re.IGNORECASE,
)
_EDGE = re.compile(r"^[\W_]+|[\W_]+$")


@lru_cache(maxsize=1)
def _converter() -> opencc.OpenCC:
    return opencc.OpenCC("t2s")


def normalise_unicode(text: str) -> str:
    """Full-width letters and digits to half width; control, zero-width and lone surrogate characters out."""
    if _WIDE.search(text):
        text = text.translate(_FULL_WIDTH)
    return _UNPRINTABLE.sub("", text)


def simplify(text: str) -> str:
    """Traditional to simplified characters (OpenCC `t2s`)."""
    if text.isascii():
        return text
    converted: str = _converter().convert(text)
    return converted.replace("著火", "着火")


def drop_urls(text: str) -> str:
    """Web addresses out."""
    return _URL.sub(" ", text)


def cut_forwards(text: str) -> str:
    """What the writer added to a forwarded post; the forwarded words themselves where nothing was added."""
    parts = [_FORWARD_ONLY.sub("", part.strip()).strip() for part in _FORWARD.split(text)]
    return next((part for part in parts if len(_EMOTICON.sub("", part)) > 1), "")


def drop_mentions(text: str) -> str:
    """`@name` out; an e-mail address stays for masking."""
    return _MENTION.sub(" ", text) if "@" in text else text


def open_hashtags(text: str) -> str:
    """`#words#` and `【words】` to the words themselves."""
    return _HASHTAG.sub(lambda match: f"{match[1] or match[2]} ", text)


def drop_emoji(text: str) -> str:
    """Emoji and `[表情]` codes out."""
    return _EMOJI.sub("", _EMOTICON.sub("", text))


def keep_resident_turns(text: str) -> str:
    """The resident's side of a transcript; everything where the resident hardly speaks."""
    parts = _TURN.split(text)
    if len(parts) < 3:
        return text
    spoken = [
        words.strip() for who, words in zip(parts[1::2], parts[2::2], strict=True) if who not in _AGENTS
    ]
    resident = " ".join((parts[0].strip(), *spoken)).strip()
    return resident if len(resident) >= 8 else " ".join(part.strip() for part in (parts[0], *parts[2::2]))


def drop_fillers(text: str) -> str:
    """Hesitation sounds and stuttered pronouns out."""
    return _STUTTER.sub(r"\1", _FILLER.sub("", text))


def apply_corrections(text: str) -> str:
    """`三号楼不对五号楼` to `五号楼`: what the speaker took back is dropped."""
    return _CORRECTION.sub(r"\2", text)


def read_spoken_numbers(text: str) -> str:
    """Digits read aloud, such as 二零二三 or 幺三八…, to Arabic digits; ordinary numerals stay."""

    def digits(match: re.Match[str]) -> str:
        return match[0] if _NOT_A_NUMBER.match(match[0]) else match[0].translate(_SPOKEN)

    return _SPOKEN_NUMBER.sub(digits, text)


def shorten_repeats(text: str) -> str:
    """Runs of one character or short phrase to three at most."""

    def three(match: re.Match[str]) -> str:
        return match[0] if match[1] and match[1].isdigit() else (match[1] or match[2]) * 3

    return _REPEATED.sub(three, text)


def tidy_whitespace(text: str) -> str:
    """Runs of blanks to one, gaps between Chinese characters of a spaced-out transcript kept."""
    return _BLANKS.sub("\n", _SPACES.sub(" ", text)).strip()


def empty_non_answers(text: str) -> str:
    """`无`, `没有`, `同上` and their like to an empty text."""
    return "" if _NON_ANSWER.fullmatch(_EDGE.sub("", text)) or not _EDGE.sub("", text) else text


STEPS: Mapping[str, Step] = {
    "unicode": normalise_unicode,
    "simplified": simplify,
    "urls": drop_urls,
    "forwards": cut_forwards,
    "mentions": drop_mentions,
    "hashtags": open_hashtags,
    "emoji": drop_emoji,
    "turns": keep_resident_turns,
    "fillers": drop_fillers,
    "corrections": apply_corrections,
    "spoken_numbers": read_spoken_numbers,
    "repeats": shorten_repeats,
    "spellings": mend_spellings,
    "whitespace": tidy_whitespace,
    "non_answers": empty_non_answers,
}


class Cleaner:
    """Cleans texts by the profile of their source.

    Raises TaxonomyError when a profile names a step that does not exist.
    """

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._profiles: dict[str | None, tuple[Step, ...]] = {}
        for source, names in taxonomy.cleaning.items():
            if unknown := [name for name in names if name not in STEPS]:
                place = f"source {source!r}" if source else "default_cleaning"
                raise TaxonomyError(f"{place}: no cleaning step {unknown[0]!r}; known: {', '.join(STEPS)}")
            self._profiles[source] = tuple(STEPS[name] for name in names)

    def clean(self, text: str, source: str | None = None) -> str:
        """The text after its source's steps; an unknown source gets the default profile."""
        for step in self._profiles.get(source, self._profiles[None]):
            text = step(text)
        return text

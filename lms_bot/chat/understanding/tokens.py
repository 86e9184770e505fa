"""Words of a sentence as they are compared: spelled alike, without endings. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise

from lms_bot.core.normalize import normalize

MOST_WORDS = 40
"""A longer message is no question to us."""

_OWNER = re.compile("(?<=\\w)['\u2019\u02bc]s?\\b", re.IGNORECASE)
_SHORT_FORMS = {
    "dont": "do not", "doesnt": "do not", "didnt": "did not", "isnt": "is not", "arent": "are not",
    "hasnt": "has not", "havent": "have not", "wasnt": "was not", "werent": "were not", "cant": "can not",
    "cannot": "can not", "wont": "will not", "shouldnt": "should not", "couldnt": "could not", "im": "i am",
    "ive": "i have", "youre": "you are", "whats": "what", "whos": "who", "hows": "how", "wheres": "where",
    "abt": "about", "wk": "week", "wks": "weeks", "msg": "message", "msgs": "messages", "2day": "today",
    "2moro": "tomorrow", "tmrw": "tomorrow", "tmr": "tomorrow", "yday": "yesterday", "u": "you", "ur": "your",
    "r": "are", "thru": "through", "vid": "video", "vids": "videos", "wat": "what", "wut": "what",
    "gonna": "going to", "wanna": "want to", "gimme": "give me", "lemme": "let me", "till": "until", "til": "until",
    "hrs": "hours", "hr": "hour", "mins": "minutes", "mths": "months", "avg": "average", "yesterdays": "yesterday",
    "todays": "today", "hw": "homework", "w": "with", "w/": "with", "ppl": "people", "info": "information",
    "fb": "feedback", "sth": "something", "smth": "something", "theyre": "they are", "anymore": "any more",
    "thats": "that", "lets": "let", "teh": "the", "waht": "what", "wich": "which", "hwo": "how", "upto": "up to",
    "atm": "now",
}  # fmt: skip
_NOT = re.compile("n['\u2019\u02bc]t\\b", re.IGNORECASE)
_SHORT_END = re.compile("(?<=\\w)['\u2019\u02bc](m|ve|d|ll|re)\\b", re.IGNORECASE)
_LONG = {"m": "am", "ve": "have", "d": "would", "ll": "will", "re": "are"}
_ALIKE = {
    "again": "anew back",
    "all": "everyone everybody everything every each entire whole altogether complete overall",
    "anybody": "anyone somebody someone nobody",
    "away": "absent vacation holidays leave",
    "best": "top highest ranking rank ranked first winner leading leader strongest",
    "worst": "lowest weakest bottom",
    "better": "stronger",
    "calm": "quietly calmly",
    "chart": "graph plot diagram curve picture chart visualise visualize draw",
    "command": "commands",
    "compare": "comparison versus vs against beside",
    "concern": "problem problems issue issues trouble troubles matter worry worried worries wrong concern",
    "content": "lesson lessons video videos material materials clip clips module modules",
    "change": "alter modify",
    "daily": "everyday",
    "delete": "remove erase drop bin trash cancel clear scrap discard rid",
    "do": "does did done doing",
    "done": "handled dealt finished sorted resolved seen ticked tick talked spoken called",
    "error": "errors failure mistake mistakes broken broke crash crashes bug bugs",
    "exam": "test tests quiz quizzes examination examinations assessment assessments midterm",
    "export": "spreadsheet excel csv xls xlsx download sheet file table",
    "fail": "failed fails failing flunk flunked flunking fell",
    "find": "search locate lookup",
    "follow": "watch track monitor eye closely watching",
    "have": "has had got",
    "health": "healthy",
    "help": "manual instructions guide",
    "hear": "know informed",
    "inactive": "idle lazy slacking dormant",
    "is": "are was were am be been being",
    "last": "past previous latest recent",
    "mentor": "tutor tutors teacher teachers coach coaches mentors",
    "message": "notification notifications ping pings alert alerts",
    "mute": "silence silent hold pause suspend shut",
    "need": "needs needed require requires deserve",
    "no": "none nothing",
    "note": "comment remark memo remember jot write",
    "now": "immediately currently moment",
    "open": "unseen unresolved outstanding todo undone",
    "pass": "passed passes passing succeed succeeded",
    "poll": "fetch pull refresh sync check look update",
    "resend": "retry redo",
    "result": "mark marks grade grades score scores points outcome outcomes",
    "setting": "preference preferences configuration configured chosen choose chose option options",
    "show": "display list give see view get print present pull bring hand",
    "stat": "statistic statistics figure figures number numbers count counts total totals",
    "stop": "quit end cease",
    "struggle": "struggling behind risk attention support difficulty difficulties stuck worst",
    "student": "pupil pupils kid kids learner learners child children trainee trainees mentee mentees people class",
    "summary": "summarise summarize overview recap report happened happen happening",
    "take": "took taken sat sit wrote attempted tried",
    "tell": "notify inform send let",
    "the": "a an this that these those",
    "turn": "switch set put",
    "want": "like wish prefer",
    "who": "whom which whose",
    "work": "working running alive online awake up",
}
_SAYS_NOTHING = frozenset(
    ("hi", "hey", "hello", "dear", "please", "pls", "plz", "kindly", "thanks", "thank", "thx", "ok", "okay")
)
_SAME = {said: word for word, others in _ALIKE.items() for said in others.split()}
_ENDINGS = ("ings", "ing", "ies", "ied", "ed", "es", "s")
_SHORTEST_STEM = 3


def split_sentence(said: Sequence[str]) -> list[tuple[str, int]]:
    """The words without what makes them somebody's and without short forms, each with the place it was said at."""
    return [(plain, place) for place, word in enumerate(said) for plain in _split_word(word)]


def _split_word(word: str) -> list[str]:
    plain = _NOT.sub(" not", word)
    plain = _OWNER.sub("", _SHORT_END.sub(lambda found: f" {_LONG[found[1].casefold()]}", plain))
    return [part for one in plain.split() for part in _SHORT_FORMS.get(one.casefold().strip(",.!?"), one).split()]


@lru_cache(maxsize=8192)
def to_token(word: str) -> str:
    """What the word is compared by; "" for what says nothing."""
    plain = normalize(word[:40]).replace(" ", "")
    return "" if plain in _SAYS_NOTHING else stem(_SAME.get(plain, plain) if plain not in _ALIKE else plain)


def stem(word: str) -> str:
    if word.isdecimal() or word.startswith("{"):
        return word
    for ending in _ENDINGS:
        rest = word.removesuffix(ending)
        if rest != word and len(rest) >= _SHORTEST_STEM and not (ending == "s" and rest.endswith("s")):
            return _undouble(rest)
    return word


def _undouble(stem: str) -> str:
    """`stopp` of `stopped` is `stop`; `pass` stays."""
    return stem[:-1] if len(stem) > _SHORTEST_STEM and stem[-1] == stem[-2] and stem[-1] in "bdgmnprt" else stem


def get_spellings() -> frozenset[str]:
    """All words that are compared by another."""
    return frozenset(_SAME) | frozenset(_ALIKE)


def pairs_of(tokens: Sequence[str]) -> list[str]:
    """Neighbours, with the beginning and the end."""
    padded = ["^", *tokens, "$"]
    return [f"{first} {second}" for first, second in pairwise(padded)]

"""Short words for what asks nothing: a greeting, `ok`, 👍, thanks; and for who asks whether somebody is there."""

from __future__ import annotations

import unicodedata

from lms_bot.chat.commands.rendering import HELP_SHOWS
from lms_bot.chat.commands.status import format_watch
from lms_bot.chat.language.question import Question
from lms_bot.chat.language.words import EMOJI_NAME, is_thanks
from lms_bot.chat.reply import Reply
from lms_bot.core.normalize import normalize

WELCOME = "You are welcome."
ABOUT = f"I am the bot that tells mentors what their students do in the LMS, and answers what they ask. {HELP_SHOWS}"

_GREETINGS = """
hi|hii|hiya|hello|hey|heya|yo|howdy|greetings|hallo|hola|morning|good morning|good afternoon|good evening|good day
"""
_ASSENT = """
ok|okay|okey|k|kk|fine|good|great|cool|nice|perfect|super|alright|all right|got it|understood|i see|right|sure|awesome
excellent|well done|good job|good work|good bot|nice work|no problem|np|noted|very good|wonderful|amazing|brilliant
lol|haha|sounds good|that is all|that s all|never mind|nevermind|no worries|sorry|oops|ah ok|oh ok|ok great|ok cool
ok good|ok fine|ok perfect|ok nice|love it
"""
_FAREWELLS = """
bye|bye bye|goodbye|good bye|good night|see you|see you later|cu|ciao|have a nice day|have a good day|nice evening
have a nice weekend|have a good weekend|have a nice evening
"""
_WHO = """
who are you|what are you|are you a bot|are you a robot|are you human|are you a human|are you real|what is your name
whats your name|what s your name|who am i talking to|who is this|are you an ai|who r u
"""
_WORKING = """
are you working|are you still working|do you work|do you still work|are you there|are you still there|are you alive
are you still alive|still alive|alive|are you up|are you online|are you awake|are you ok|are you running|you there
still there|anybody there|is anybody there|anyone there|ping|u there|are u there|are you on
"""
_ADDRESSED = frozenset(("bot", "dear", "there", "all", "everyone", "lms", "please", "again", "so", "then"))


def _phrases(table: str) -> frozenset[str]:
    return frozenset(phrase.strip() for line in table.split("\n") for phrase in line.split("|") if phrase.strip())


_ANSWERS = {
    _phrases(_GREETINGS): f"Hello! {HELP_SHOWS}",
    _phrases(_ASSENT): "👍",
    _phrases(_FAREWELLS): "👋",
    _phrases(_WHO): ABOUT,
}
_IS_WORKING = _phrases(_WORKING)


def answer_small_talk(question: Question, text: str) -> Reply | None:
    """None where something is asked, or nothing at all is said."""
    if is_thanks(question.words):
        return Reply(WELCOME)
    if not question.words:
        return Reply("👍") if _is_emoji(text) else None
    said = normalize(" ".join(question.words))
    bare = " ".join(word for word in said.split() if word not in _ADDRESSED)
    for phrases, answer in _ANSWERS.items():
        if said in phrases or bare in phrases:
            return Reply(answer)
    if said in _IS_WORKING or bare in _IS_WORKING:
        with question.context.store.session():
            return Reply(format_watch(question))
    return None


def _is_emoji(text: str) -> bool:
    return EMOJI_NAME.search(text) is not None or any(unicodedata.category(letter) == "So" for letter in text)

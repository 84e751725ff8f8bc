"""Scores a text by keywords: spam, mood, urgency, and how well a choice's own words fit."""

from __future__ import annotations

import math
import re

__all__ = ["best_choice", "probability", "spam_words", "topic_of", "truth_of"]

_SPAM = {
    2.0: r"prize|winner|won|claim(?:ed)?|guaranteed|ringtones?|viagra|lottery|jackpot|\bxxx\b|sexy"
    r"|voucher|award(?:ed)?",
    1.3: r"free|urgent|cash|congrat\w*|bonus|\d+p(?:pm|/min|\b)|txt|(?:text|txt|reply|send)\s+[A-Z\d]+|18\+?"
    r"|subscri\w+"
    r"|unsubscribe|opt\s?out|customer services?|landline|selected|unlimited|inheritance|bitcoin|casino|earn"
    r"|limited.time|act now|click (?:here|below|now)|verify your|account (?:has been )?suspended|t&c\w*"
    r"|per msg",
    0.8: r"\b\d{5}\b|\b0\d{9,10}\b|https?://|www\.|[£$€]\s?\d+|call now|mobile|offers?|deals?|entry|draw|chat"
    r"|dating"
    r"|tones?|credits?|discount|exclusive|loan|cheap|camera|stop\b|service|guess|reply",
    -0.8: r"\bi'?m\b|\blol\b|\blove\b|\bsorry\b|\bhome\b|\blater\b|\bda\b|\bok\b|\bgonna\b|\bhow are\b"
    r"|\blunch\b"
    r"|\bmeeting\b|\btomorrow\b|\bthanks\b|\bhaha\b|\bi'?ll\b|\bmy\b|\bme\b|\bdinner\b",
}
_SPAM_PATTERNS = [
    (weight, re.compile(rf"(?<!\w)(?:{words})", re.IGNORECASE)) for weight, words in _SPAM.items()
]
_SPAM_LIMIT = 2.0
_GOOD = re.compile(
    r"\b(?:good|great|excellent|love[ds]?|amazing|happy|perfect|thanks?|fantastic|wonderful|best|awesome|satisfied"
    r"|delighted|pleased|recommend\w*|nice|enjoy\w*|superb|brilliant|fast|friendly|helpful|gut|super|toll)\b",
    re.IGNORECASE,
)
_BAD = re.compile(
    r"\b(?:bad|terrible|awful|hate[ds]?|worst|poor|broken|disappoint\w*|angry|refund|slow|rude|horrible|useless"
    r"|never again|unhappy|waste|defective|problem|late"
    r"|wrong|fail\w*|unacceptable|schlecht|not\s+(?:good|happy|work\w*))\b",
    re.IGNORECASE,
)
_URGENT = re.compile(
    r"\b(?:urgent\w*|immediately|asap|emergency|critical|right away|outage|deadline|today|dringend|sofort)\b",
    re.IGNORECASE,
)
_WORD = re.compile(r"[^\W\d_]{3,}")
_NO = re.compile(r"\b(?:not|un|non|no|never|nicht|kein\w*|isn't|wasn't)[\s-]*$", re.IGNORECASE)


def spam_score(text: str) -> float:
    """Above 2: rather spam. Long texts do not become spam by their length alone."""
    score = sum(weight * min(3, len(p.findall(text))) for weight, p in _SPAM_PATTERNS)
    letters = [letter for letter in text if letter.isalpha()]
    shouted = sum(letter.isupper() for letter in letters) / len(letters) if letters else 0.0
    return score + (1.0 if shouted > 0.25 and len(letters) > 20 else 0.0)


def spam_words(text: str) -> list[str]:
    """The words that speak for spam, in order and once each."""
    words = [m[0] for weight, p in _SPAM_PATTERNS if weight > 0 for m in p.finditer(text)]
    return list(dict.fromkeys(words))


def _mood(text: str) -> float:
    return float(len(_GOOD.findall(text)) - len(_BAD.findall(text)))


# What a property or choice is about: its words, how to score a text, and the score that decides.
_TOPICS = {
    "spam": (("spam", "junk", "phishing", "scam", "fraud"), spam_score, _SPAM_LIMIT),
    "good": (("positive", "satisfied", "happy"), _mood, 0.5),
    "bad": (("negative", "complaint", "dissatisfied", "angry", "unhappy"), lambda text: -_mood(text), 0.5),
    "urgent": (
        ("urgent", "urgency", "priority", "high", "critical"),
        lambda text: 1.0 * len(_URGENT.findall(text)),
        0.5,
    ),
}
_NOT_SPAM = {"ham", "not spam", "legitimate", "legit", "no spam", "safe", "normal", "not_spam", "genuine"}
_UNDECIDED = ("neutral", "other", "unknown", "none", "mixed", "unclear", "medium", "normal", "general")


def topic_of(phrase: str) -> str | None:
    """Which scorer decides a property of that name, if one does."""
    words = set(phrase.lower().split())
    return next((topic for topic, (about, _, _) in _TOPICS.items() if words & set(about)), None)


def probability(topic: str, text: str) -> float:
    """0..1: how much the text is of a topic; 0.5 where its scorer is undecided."""
    _, score, limit = _TOPICS[topic]
    return round(1 / (1 + math.exp(limit - score(text))), 2)


def truth_of(phrase: str, text: str) -> bool:
    """Whether a statement named by a phrase ("is spam", "paid") holds for the text."""
    topic = topic_of(phrase)
    if topic is not None:
        return probability(topic, text) >= 0.5
    words = [
        w for w in phrase.split() if w not in ("is", "has", "was", "contains", "are", "mentions", "should")
    ]
    return bool(words) and all(_stated(word, text) for word in words)


def _stated(word: str, text: str) -> bool:
    pattern = re.compile(rf"\b{re.escape(word[: max(4, len(word) - 2)])}\w*", re.IGNORECASE)
    return any(not _NO.search(text[: match.start()]) for match in pattern.finditer(text))


def best_choice(choices: list[str], text: str) -> str | None:
    """The choice that fits a text best, or None when nothing speaks for one."""
    lowered = {choice.lower().replace("_", " "): choice for choice in choices}
    decided = _by_topic(lowered, text)
    if decided is not None:
        return decided
    standing = [(text.lower().find(name), choice) for name, choice in lowered.items() if _stands(name, text)]
    if standing:
        return min(standing)[1]
    scores = {choice: _overlap(name, text) for name, choice in lowered.items()}
    best = max(scores, key=lambda choice: scores[choice])
    if scores[best] > 0:
        return best
    return next((lowered[name] for name in _UNDECIDED if name in lowered), None)


def _by_topic(lowered: dict[str, str], text: str) -> str | None:
    names = set(lowered)
    spam = next((name for name in lowered if topic_of(name) == "spam" and name not in _NOT_SPAM), None)
    ham = next((name for name in lowered if name in _NOT_SPAM), None)
    if spam and ham:
        return lowered[spam if probability("spam", text) >= 0.5 else ham]
    if {"positive", "negative"} <= names:
        mood = _mood(text)
        undecided = next(
            (lowered[name] for name in ("neutral", "mixed") if name in names), lowered["positive"]
        )
        return lowered["positive"] if mood > 0 else lowered["negative"] if mood < 0 else undecided
    if {"low", "high"} <= names:
        calm = lowered.get("medium") or lowered.get("normal") or lowered["low"]
        return lowered["high"] if probability("urgent", text) >= 0.5 else calm
    return None


def _stands(name: str, text: str) -> bool:
    return re.search(rf"(?<!\w){re.escape(name)}(?!\w)", text, re.IGNORECASE) is not None


def _overlap(name: str, text: str) -> float:
    stems = {word[:5] for word in _WORD.findall(text.lower())}
    words = _WORD.findall(name)
    return sum(word[:5] in stems for word in words) / len(words) if words else 0.0

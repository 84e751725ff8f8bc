"""Spam detection: one message per request, one typed answer per message.

python examples/spam_detection.py           offline, free
python examples/spam_detection.py --live    Claude; needs ANTHROPIC_API_KEY
"""

from pathlib import Path

from _service import service
from pydantic import BaseModel

from batchata import batch
from batchata.sandbox import Request


class Verdict(BaseModel):
    is_spam: bool
    confidence: float
    reason: str


# The messages, and what the sandbox answers to each: offline there is no model that could judge them.
OFFLINE_VERDICTS = {
    "Congratulations! You have won a guaranteed prize of $5,000. Click here to claim it now.": Verdict(
        is_spam=True, confidence=0.98, reason="A prize nobody entered for, and a link to click."
    ),
    "Can we move tomorrow's meeting to three? Thanks, Ana": Verdict(
        is_spam=False, confidence=0.97, reason="A colleague moves a meeting."
    ),
    "URGENT: your account has been suspended. Verify your password at http://login.example": Verdict(
        is_spam=True, confidence=0.95, reason="Asks for a password under pressure of time."
    ),
    "I'm home later, shall I cook dinner for us?": Verdict(
        is_spam=False, confidence=0.99, reason="Somebody at home asks about dinner."
    ),
    "Free ringtones! Text WIN to 80086, only 150p per msg. Reply STOP to opt out.": Verdict(
        is_spam=True, confidence=0.96, reason="A paid text service that presents itself as free."
    ),
}
MESSAGES = list(OFFLINE_VERDICTS)


def offline_verdict(request: Request) -> dict[str, object]:
    return OFFLINE_VERDICTS[request.text].model_dump()


def main(folder: Path) -> None:
    job = batch(
        model="claude-haiku-5-5",
        system="Is this message spam? Give your confidence from 0 to 1 and a short reason.",
        messages=[[{"role": "user", "content": message}] for message in MESSAGES],
        response_model=Verdict,
        max_cost=1.00,
        state_path=folder / "spam.db",
    )
    summary = job.run(print_progress=True)

    for message, entry in zip(MESSAGES, job.results(), strict=True):
        verdict = entry["result"]
        if verdict is None:
            print(f"no answer {message}")
        else:
            print(f"{'SPAM' if verdict.is_spam else 'ok':4} {verdict.confidence:4.0%}  {message}")
            print(f"            {verdict.reason}")
    print(f"\n{summary['completed_items']} messages, ${summary['total_cost']}")


if __name__ == "__main__":
    with service(answers=offline_verdict) as here:
        main(here.folder)

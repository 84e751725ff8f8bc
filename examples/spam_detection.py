"""Spam detection: one message per request, one typed answer per message.

python examples/spam_detection.py           offline, free
python examples/spam_detection.py --live    Claude; needs ANTHROPIC_API_KEY
"""

from pathlib import Path

from _service import service
from pydantic import BaseModel

from batchata import batch

MESSAGES = [
    "Congratulations! You have won a guaranteed prize of $5,000. Click here to claim it now.",
    "Can we move tomorrow's meeting to three? Thanks, Ana",
    "URGENT: your account has been suspended. Verify your password at http://login.example",
    "I'm home later, shall I cook dinner for us?",
    "Free ringtones! Text WIN to 80086, only 150p per msg. Reply STOP to opt out.",
]


class Verdict(BaseModel):
    is_spam: bool
    confidence: float
    reason: str


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
    with service() as here:
        main(here.folder)

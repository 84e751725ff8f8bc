"""Know which labels a property's value may stand beside: its own name, and others of common fields."""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["Concept", "concept_of", "words_of"]


@dataclass(frozen=True, slots=True)
class Concept:
    """What is looked for: labels as patterns, the most telling first, and the kind of value beside them."""

    kind: str
    labels: tuple[str, ...]


_NO = r"(?:number|num|no\.?|nr\.?|id|#|№|n[°º])"

# Kind, property names, and the labels in English, German, Dutch and French, the most telling first. The name
# of a property is always a label of its own, so that what is called the same everywhere needs no entry.
_TABLE: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (
        "id",
        "invoice number|invoice no|invoice nr|invoice id|invoice reference|bill number|document number",
        (
            rf"(?:invoice|inv|bill|document|receipt)\s*{_NO}",
            r"rechnungs-?\s?(?:nummer|nr\.?)|factuur\s?(?:nummer|nr\.?)|num[ée]ro\s+de\s+(?:la\s+)?facture",
            r"facture\s*n[°ºo]\.?",
            "invoice|factuur|rechnung|facture",
        ),
    ),
    (
        "date",
        "due date|date due|payment due|payment due date|due|due on|due by",
        (
            r"(?:payment\s+)?due\s+(?:date|on|by)|payment\s+due|date\s+due|payable\s+by",
            r"zahlbar\s+bis|f[äa]llig(?:\s+am)?|vervaldatum|(?:date\s+d')?[ée]ch[ée]ance",
        ),
    ),
    (
        "date",
        "date|invoice date|issue date|date issued|issued|issued on|billing date|date of issue",
        (
            r"invoice\s+date|date\s+of\s+(?:invoice|issue)|issue\s+date|issued(?:\s+on)?|bill(?:ing)?\s+date",
            r"rechnungsdatum|factuur\s?datum|date\s+de\s+(?:la\s+)?(?:facture|facturation)",
            r"facture\s+n\S+\s+du",
            "date|datum",
        ),
    ),
    (
        "money_last",
        "total|amount|total amount|amount due|grand total|invoice total|total due|balance due|gross amount",
        (
            r"(?:total\s+)?amount\s+due|balance\s+due|grand\s+total|invoice\s+total|total\s+(?:due|amount)",
            r"(?:brutto|rechnungs|gesamt|end)(?:betrag|summe|preis)",
            r"factuur\s*totaal|(?:somme|net|montant|total)\s+[àa]\s+payer",
            "totaal|total",
            "amount|betrag|bedrag|montant|sum",
        ),
    ),
    (
        "money_first",
        "net|subtotal|sub total|net amount|net total|amount untaxed",
        (
            r"net\s+(?:amount|total)|(?:netto|zwischen)(?:betrag|summe)",
            r"sub-?\s?tota[a]?l|sous-total",
            "net",
        ),
    ),
    (
        "money_last",
        "tax|vat|tax amount|vat amount|sales tax|gst",
        (r"(?:tax|vat|gst)\s+amount|sales\s+tax|total\s+(?:tax|vat)", "mwst|ust|btw|tva|vat|gst|tax"),
    ),
    ("currency", "currency|currency code", ()),
    (
        "text",
        "vendor|vendor name|seller|seller name|supplier|supplier name|merchant|merchant name|issuer|from",
        (
            r"(?:vendor|seller|supplier|merchant)(?:\s+name)?|issue[dr](?:\s+by)?|sold\s+by",
            "lieferant|leverancier|fournisseur|from|von",
        ),
    ),
    (
        "text",
        "customer|customer name|buyer|buyer name|client|client name|bill to|billed to|recipient",
        (r"(?:customer|buyer|client)(?:\s+name)?|bill(?:ed)?\s+to|sold\s+to|kunde|klant|recipient",),
    ),
    ("iban", "iban|bank account", ()),
    ("email", "email|e mail|email address|contact email", ("e-?mail",)),
    ("phone", "phone|telephone|phone number|tel|contact phone", (r"(?:tele)?phone|tel\.?|telefon",)),
)
_BY_NAME = {name: Concept(kind, labels) for kind, names, labels in _TABLE for name in names.split("|")}
_ID_WORDS = {"number", "no", "nr", "id", "code", "reference", "ref", "num", "sku"}


def words_of(name: str) -> str:
    """Split `invoiceNumber`, `invoice_number`, `Invoice Number` into `invoice number`."""
    return " ".join(
        re.findall(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![^\W\d_A-Z])|\d+", name.replace("_", " "))
    ).lower()


def concept_of(names: list[str]) -> Concept | None:
    """Return the concept of a property that goes by these names (its own, its title, its aliases)."""
    phrases = [phrase for name in names if (phrase := words_of(name))]
    known = next((_BY_NAME[phrase] for phrase in phrases if phrase in _BY_NAME), None)
    own = tuple(pattern for phrase in phrases for pattern in _own_patterns(phrase))
    if known is not None:
        return Concept(known.kind, (*known.labels, *own))
    is_id = any(phrase.split()[-1] in _ID_WORDS and " " in phrase for phrase in phrases)
    return Concept("id" if is_id else "text", own) if own else None


def _own_patterns(phrase: str) -> list[str]:
    words = phrase.split()
    patterns = [r"[\s_-]*".join(map(re.escape, words))]
    if len(words) > 1 and words[-1] in _ID_WORDS:
        patterns.append(r"\s*".join(map(re.escape, words[:-1])) + rf"\s*{_NO}")
    return patterns

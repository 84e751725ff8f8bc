"""Which labels a property's value may stand beside, in the languages of common business documents."""

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

# name of the concept: (kind, property names, labels)
_TABLE: dict[str, tuple[str, str, str]] = {
    "invoice number": (
        "id",
        "invoice number|invoice no|invoice nr|invoice id|invoice num|invoice ref|invoice reference"
        "|bill number|rechnungsnummer|number of invoice|document number",
        rf"invoice\s*{_NO}|inv\s*{_NO}|rechnungs-?\s?(?:nummer|nr\.?)|rechnung\s*nr\.?|factuur\s?(?:nummer|nr\.?)"
        r"|num[ée]ro\s+de\s+(?:la\s+)?facture|n[°º]\s*(?:de\s+)?facture|facture\s*n[°ºo]\.?|(?:numer\s+faktury)"
        r"|faktura\s*(?:vat\s*)?nr\.?|n[úu]mero\s+de\s+factura|factura\s*n[°º.]?|numero\s+fattura|fattura\s*n[.°]?"
        rf"|bill\s*{_NO}|document\s*{_NO}|receipt\s*{_NO}|invoice|factuur|rechnung|facture",
    ),
    "due date": (
        "date",
        "due date|date due|payment due|payment due date|due|due on|due by|deadline",
        r"(?:payment\s+)?due\s+(?:date|on|by)|payment\s+due|date\s+due|payable\s+by|zahlungsziel|zahlbar\s+bis"
        r"|f[äa]llig(?:\s+am|keitsdatum|keit)?|vervaldatum|te\s+betalen\s+voor|date\s+limite\s+de\s+paiement"
        r"|(?:date\s+d')?[ée]ch[ée]ance|termin\s+p[łl]atno[śs]ci|(?:fecha\s+de\s+)?vencimiento|scadenza|deadline",
    ),
    "date": (
        "date",
        "date|invoice date|issue date|date issued|issued|issued on|issued at|billing date|document date"
        "|date of issue|bill date|date of invoice",
        r"invoice\s+date|date\s+of\s+(?:invoice|issue)|issue\s+date|issued(?:\s+on)?|bill(?:ing)?\s+date"
        r"|rechnungsdatum|factuur\s?datum|date\s+de\s+(?:la\s+)?(?:facture|facturation)"
        r"|facture\s+n\S+\s+du|data\s+wystawienia|fecha\s+de\s+(?:la\s+)?(?:factura|emisi[óo]n)"
        r"|data\s+(?:fattura|emissione)|date|datum|data|fecha",
    ),
    "order date": ("date", "order date|date of order|ordered on", r"order\s+date|bestelldatum|orderdatum"),
    "delivery date": (
        "date",
        "delivery date|date of delivery|ship date|shipping date",
        r"delivery\s+date|ship(?:ping)?\s+date|lieferdatum|leverdatum|date\s+de\s+livraison",
    ),
    "total": (
        "money_last",
        "total|amount|total amount|amount due|grand total|invoice total|total due|balance due|total price"
        "|total cost|total incl tax|gross amount|gross|amount total|sum|price total|invoice amount",
        r"total\s+amount\s+due|(?:total\s+)?amount\s+due|balance\s+due|grand\s+total|invoice\s+total"
        r"|total\s+(?:for\s+this\s+invoice|due|amount|payable|to\s+pay|incl\S*(?:\s+\w+)?)|amount\s+payable"
        r"|(?:brutto|rechnungs|gesamt|end)(?:betrag|summe|preis)|zu\s+zahlen(?:der\s+betrag)?"
        r"|factuur\s*totaal|totaal\s+(?:te\s+betalen|incl\S*)|te\s+betalen|(?:somme|net|montant|total)\s+[àa]\s+payer"
        r"|(?:montant|total)\s+(?:de\s+la\s+facture|ttc)|nale[żz]no[śs][ćc]\s+og[óo][łl]em|do\s+zap[łl]aty"
        r"|importe\s+total|total\s+a\s+pagar|totale\s+(?:fattura|da\s+pagare)|gross\s+amount|invoice\s+amount"
        r"|gesamt|totaal|totale|razem|total|amount|betrag|bedrag|montant|importe|sum",
    ),
    "net": (
        "money_first",
        "subtotal|sub total|net|net amount|amount untaxed|untaxed amount|total net|net total|amount net",
        r"(?:netto|zwischen)(?:betrag|summe)|net\s+(?:amount|total)|total\s+(?:net|excl\S*|ht)|exclusief\s+btw"
        r"|excl\.?\s+btw|montant\s+(?:\w+\s+)?ht|base\s+imponible|imponibile|amount\s+before\s+tax"
        r"|sub-?\s?tota[a]?l|sous-total|netto|net",
    ),
    "tax": (
        "money_last",
        "tax|vat|tax amount|vat amount|amount tax|total tax|sales tax|gst|total vat",
        r"(?:total\s+)?(?:tax|vat|gst)\s+amount|sales\s+tax|total\s+(?:tax|vat)|btw\s?bedrag|montant\s+(?:de\s+la\s+)?tva"
        r"|(?:mwst|ust|umsatzsteuer|mehrwertsteuer)\.?|kwota\s+vat|cuota\s+iva|btw|tva|iva|vat|gst|tax",
    ),
    "tax rate": (
        "percent",
        "tax rate|vat rate|tax percent|vat percent",
        r"(?:tax|vat|gst)\s+rate|mwst|ust|btw|tva|iva|vat|gst|tax",
    ),
    "currency": (
        "currency",
        "currency|currency code|iso currency",
        r"currency|w[äa]hrung|valuta|devise|moneda|waluta",
    ),
    "vendor": (
        "text",
        "vendor|vendor name|seller|seller name|issuer|supplier|supplier name|merchant|merchant name|company"
        "|company name|sold by|from|billed by|partner name|biller",
        r"vendor(?:\s+name)?|seller(?:\s+name)?|supplier(?:\s+name)?|merchant(?:\s+name)?|issue[dr](?:\s+by)?"
        r"|sold\s+by|service\s+provider|company(?:\s+name)?|verk[äa]ufer|lieferant|anbieter|leverancier|verkoper"
        r"|vendeur|fournisseur|[ée]metteur|sprzedawca|vendedor|proveedor|fornitore|billed\s+by|from|von",
    ),
    "customer": (
        "text",
        "customer|customer name|buyer|client|client name|bill to|billed to|recipient|buyer name",
        r"customer(?:\s+name)?|buyer(?:\s+name)?|client(?:\s+name)?|bill(?:ed)?\s+to|invoice\s+to|sold\s+to|kunde"
        r"|k[äa]ufer|rechnungsempf[äa]nger|klant|acheteur|nom\s+de\s+l.abonn[ée]|nabywca|cliente|comprador|recipient",
    ),
    "order number": (
        "id",
        "order number|order no|order id|po number|purchase order|purchase order number|po|order reference",
        rf"(?:purchase\s+)?order\s*{_NO}|p\.?o\.?\s*{_NO}|purchase\s+order|bestell-?(?:nummer|nr\.?)"
        r"|auftrags-?(?:nummer|nr\.?)|order\s?nummer|num[ée]ro\s+de\s+commande|numer\s+zam[óo]wienia",
    ),
    "customer number": (
        "id",
        "customer number|customer id|customer no|client id|client number|account number|account id",
        rf"customer\s*{_NO}|client\s*{_NO}|account\s*{_NO}|kunden-?(?:nummer|nr\.?)|klant\s?nummer|id\.?\s?client",
    ),
    "iban": ("iban", "iban|bank account|iban number", r"iban|bank\s+account"),
    "email": (
        "email",
        "email|e mail|email address|mail|contact email|vendor email|customer email",
        r"e-?mail",
    ),
    "phone": (
        "phone",
        "phone|telephone|phone number|tel|mobile|contact phone",
        r"(?:tele)?phone(?:\s+number)?|tel\.?|telefon|telefoon|t[ée]l[ée]phone|tel[ée]fono|mobile",
    ),
    "vat number": (
        "id",
        "vat number|vat id|tax id|tax number|vat no|vat reg no",
        rf"vat\s*(?:reg\w*\s*)?{_NO}|tax\s*{_NO}|ust-?id(?:nr)?\.?(?:-?nr\.?)?|btw\s?nummer|n[°º]\s+de\s+tva|nip",
    ),
}


def _patterns(alternatives: str) -> tuple[str, ...]:
    """Split at the bars that stand outside of brackets."""
    parts, depth, start = [], 0, 0
    for place, letter in enumerate(alternatives):
        depth += (letter in "([") - (letter in ")]")
        if letter == "|" and depth == 0:
            parts.append(alternatives[start:place])
            start = place + 1
    return (*parts, alternatives[start:])


_CONCEPTS = {name: Concept(kind, _patterns(labels)) for name, (kind, _, labels) in _TABLE.items()}
_BY_NAME = {alias: name for name, (_, names, _) in _TABLE.items() for alias in names.split("|")}
_ID_WORDS = {"number", "no", "nr", "id", "code", "reference", "ref", "num", "sku"}


def words_of(name: str) -> str:
    """`invoiceNumber`, `invoice_number`, `Invoice Number` -> `invoice number`."""
    return " ".join(
        re.findall(r"[A-Z]?[^\W\d_A-Z]+|[A-Z]+(?![^\W\d_A-Z])|\d+", name.replace("_", " "))
    ).lower()


def concept_of(names: list[str]) -> Concept | None:
    """The concept of a property that goes by these names (its own, its title, its aliases)."""
    phrases = [phrase for name in names if (phrase := words_of(name))]
    known = next((_BY_NAME[phrase] for phrase in phrases if phrase in _BY_NAME), None)
    own = tuple(pattern for phrase in phrases for pattern in _own_patterns(phrase))
    if known is not None:
        concept = _CONCEPTS[known]
        return Concept(concept.kind, (*concept.labels, *(p for p in own if p not in concept.labels)))
    is_id = any(phrase.split()[-1] in _ID_WORDS and " " in phrase for phrase in phrases)
    return Concept("id" if is_id else "text", own) if own else None


def _own_patterns(phrase: str) -> list[str]:
    words = phrase.split()
    patterns = [r"[\s_-]*".join(map(re.escape, words))]
    if len(words) > 1 and words[-1] in _ID_WORDS:
        patterns.append(r"\s*".join(map(re.escape, words[:-1])) + rf"\s*{_NO}")
    return patterns

# ruff: noqa: RUF001 - letters of other scripts are meant
"""Pairs of a value and a passage that says it, or says another, by notation and language.

What is right is known from how a pair is made: the passage is written from the value, or found in a real
document by a search of its own; nothing of the library takes part in it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

import pypdfium2 as pdfium


class Pair(NamedTuple):
    """A value and a passage; `is_right` is whether the passage says it."""

    notation: str
    language: str
    value: Any
    passage: str
    is_right: bool
    is_literal: bool = False  # the value stands there to the character


class Form(NamedTuple):
    """How a language writes a kind of value, with words around it."""

    notation: str
    language: str
    write: Callable[[Any], str]


def _grouped(value: Decimal, group: str, point: str) -> str:
    whole, _, cents = f"{abs(value):.2f}".partition(".")
    parted = re.sub(r"(?<=\d)(?=(\d{3})+$)", group, whole)
    return f"{'-' if value < 0 else ''}{parted}{point}{cents}"


def _indian(value: Decimal) -> str:
    whole, _, cents = f"{abs(value):.2f}".partition(".")
    head, tail = whole[:-3], whole[-3:]
    return f"{re.sub(r'(?<=\d)(?=(\d\d)+$)', ',', head)},{tail}.{cents}" if head else f"{tail}.{cents}"


def _in_script(zero: str, text: str) -> str:
    return "".join([chr(ord(zero) + int(sign)) if sign.isdigit() else sign for sign in text])


AMOUNTS = (
    Form("grouped by commas", "en", lambda v: f"Amount due: ${_grouped(v, ',', '.')}"),
    Form("grouped by commas, sentence", "en", lambda v: f"The total is {_grouped(v, ',', '.')} as agreed."),
    Form("no grouping", "en", lambda v: f"Total {v:.2f} USD"),
    Form("code joined", "en", lambda v: f"USD{_grouped(v, ',', '.')}"),
    Form("dollar of a country", "en", lambda v: f"Payable: US${_grouped(v, ',', '.')} net"),
    Form("table row", "en", lambda v: f"Grand total\t{_grouped(v, ',', '.')}\t"),
    Form("points and comma", "de", lambda v: f"Gesamtbetrag: {_grouped(v, '.', ',')} EUR"),
    Form("points and comma", "de", lambda v: f"Summe {_grouped(v, '.', ',')}€"),
    Form("points and comma", "es", lambda v: f"Importe total: {_grouped(v, '.', ',')} €"),
    Form("points and comma", "pt", lambda v: f"Valor total: R$ {_grouped(v, '.', ',')}"),
    Form("points and comma", "it", lambda v: f"Totale fattura € {_grouped(v, '.', ',')}"),
    Form("points and comma", "nl", lambda v: f"Te betalen: € {_grouped(v, '.', ',')}"),
    Form("blanks and comma", "fr", lambda v: f"Total TTC : {_grouped(v, chr(0x202F), ',')} €"),
    Form("blanks and comma", "pl", lambda v: f"Razem do zapłaty: {_grouped(v, chr(0xA0), ',')} zł"),
    Form("blanks and comma", "sv", lambda v: f"Att betala {_grouped(v, ' ', ',')} kr"),
    Form("blanks and comma", "cs", lambda v: f"Celkem: {_grouped(v, ' ', ',')} Kč"),
    Form("apostrophes", "de-CH", lambda v: f"Total CHF {_grouped(v, chr(0x2019), '.')}"),
    Form("apostrophes", "de-CH", lambda v: f"Total CHF {_grouped(v, chr(39), '.')}"),
    Form("Indian grouping", "en-IN", lambda v: f"Total payable: ₹{_indian(v)}"),
    Form("Indian grouping", "en-IN", lambda v: f"Total Rs. {_indian(v)}/-"),
    Form("digits of a script", "ar", lambda v: "المجموع: " + _in_script("٠", _grouped(v, "٬", "٫"))),
    Form("digits of a script", "fa", lambda v: "جمع کل: " + _in_script("۰", _grouped(v, "٬", "٫"))),
    Form("digits of a script", "hi", lambda v: "कुल: ₹" + _in_script("०", _indian(v))),
    Form("digits of a script", "bn", lambda v: "মোট: " + _in_script("০", _grouped(v, ",", "."))),
    Form("full width", "ja", lambda v: "合計: ￥" + _in_script("\uff10", _grouped(v, ",", "."))),
)  # fmt: skip

NEGATIVES = (
    Form("minus in front", "en", lambda v: f"Balance: {_grouped(v, ',', '.')}"),
    Form("minus before the sign", "en", lambda v: f"Balance: -${_grouped(-v, ',', '.')}"),
    Form("true minus", "en", lambda v: f"Change \u2212{_grouped(-v, ',', '.')}"),
    Form("minus behind", "de", lambda v: f"Saldo {_grouped(-v, '.', ',')}- EUR"),
    Form("minus behind", "en", lambda v: f"Adjustment {_grouped(-v, ',', '.')}-"),
    Form("parentheses", "en", lambda v: f"Net loss ({_grouped(-v, ',', '.')})"),
    Form("parentheses with sign", "en", lambda v: f"Net loss $({_grouped(-v, ',', '.')})"),
    Form("parentheses around sign", "en", lambda v: f"Net loss (${_grouped(-v, ',', '.')})"),
)

SCALED = (
    Form("scale word", "en", lambda v: f"Revenue of ${v / 10**6:f} million"),
    Form("scale word", "en", lambda v: f"about {v / 10**6:f}m".replace("about ", "about $")),
    Form("scale word", "de", lambda v: f"Umsatz: {_de(v / 10**6)} Mio. EUR"),
    Form("scale word", "fr", lambda v: f"Chiffre d'affaires : {_de(v / 10**6)} millions d'euros"),
    Form("scale word", "es", lambda v: f"Ingresos de {_de(v / 10**6)} millones de euros"),
    Form("scale word", "en-IN", lambda v: f"Turnover ₹{v / 10**5:f} lakh"),
    Form("scale word", "en-IN", lambda v: f"Turnover of {v / 10**7:f} crore"),
    Form("scale word", "ja", lambda v: f"売上高{v / 10**4:f}万円"),
)


def _bare_number(value: Decimal) -> str:
    return f"{value:f}".rstrip("0").rstrip(".") if "." in f"{value:f}" else f"{value:f}"


def _de(value: Decimal) -> str:
    return _bare_number(value).replace(".", ",")


SHARES = (
    Form("percent against fraction", "en", lambda v: f"VAT at {_bare_number(v * 100)}%"),
    Form("percent against fraction", "de", lambda v: f"USt. {_de(v * 100)} %"),
    Form("percent in words", "en", lambda v: f"a rate of {_bare_number(v * 100)} percent"),
    Form("percent in words", "fr", lambda v: f"au taux de {_de(v * 100)} pour cent"),
    Form("fraction", "en", lambda v: f"rate: {v:f}"),
)


def _words(text: str) -> list[str]:
    return text.split()


_EN = _words("January February March April May June July August September October November December")
_DE = _words("Januar Februar März April Mai Juni Juli August September Oktober November Dezember")
_FR = _words("janvier février mars avril mai juin juillet août septembre octobre novembre décembre")
_ES = _words("enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre")
_IT = _words("gennaio febbraio marzo aprile maggio giugno luglio agosto settembre ottobre novembre dicembre")
_PT = _words("janeiro fevereiro março abril maio junho julho agosto setembro outubro novembro dezembro")
_NL = _words("januari februari maart april mei juni juli augustus september oktober november december")
_RU = _words("января февраля марта апреля мая июня июля августа сентября октября ноября декабря")
_UK = _words("січня лютого березня квітня травня червня липня серпня вересня жовтня листопада грудня")
_AR = _words("يناير فبراير مارس أبريل مايو يونيو يوليو أغسطس سبتمبر أكتوبر نوفمبر ديسمبر")
_TH = _words("มกราคม กุมภาพันธ์ มีนาคม เมษายน พฤษภาคม มิถุนายน กรกฎาคม สิงหาคม กันยายน ตุลาคม พฤศจิกายน ธันวาคม")
_HI = _words("जनवरी फरवरी मार्च अप्रैल मई जून जुलाई अगस्त सितंबर अक्टूबर नवंबर दिसंबर")
_HE = _words("ינואר פברואר מרץ אפריל מאי יוני יולי אוגוסט ספטמבר אוקטובר נובמבר דצמבר")
_TR = _words("Ocak Şubat Mart Nisan Mayıs Haziran Temmuz Ağustos Eylül Ekim Kasım Aralık")
_SV = _words("januari februari mars april maj juni juli augusti september oktober november december")


def _ordinal(day: int) -> str:
    return f"{day}{'th' if 10 < day < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(day % 10, 'th')}"


DATES = (
    Form("in words", "en", lambda d: f"Date: {_EN[d.month - 1]} {d.day}, {d.year}"),
    Form("in words", "en", lambda d: f"Due on {d.day} {_EN[d.month - 1]} {d.year}."),
    Form("in words", "en", lambda d: f"dated the {_ordinal(d.day)} day of {_EN[d.month - 1]}, {d.year}"),
    Form("in words", "en", lambda d: f"{_EN[d.month - 1][:3]}. {_ordinal(d.day)}, {d.year}"),
    Form("in words", "en", lambda d: f"{d.day:02}-{_EN[d.month - 1][:3].upper()}-{d.year % 100:02}"),
    Form("in words", "de", lambda d: f"Rechnungsdatum: {d.day}. {_DE[d.month - 1]} {d.year}"),
    Form("in words", "fr", lambda d: f"le {d.day} {_FR[d.month - 1]} {d.year}"),
    Form("in words", "es", lambda d: f"{d.day} de {_ES[d.month - 1]} de {d.year}"),
    Form("in words", "it", lambda d: f"Data: {d.day} {_IT[d.month - 1]} {d.year}"),
    Form("in words", "pt", lambda d: f"{d.day} de {_PT[d.month - 1]} de {d.year}"),
    Form("in words", "nl", lambda d: f"Factuurdatum {d.day} {_NL[d.month - 1]} {d.year}"),
    Form("in words", "sv", lambda d: f"den {d.day} {_SV[d.month - 1]} {d.year}"),
    Form("in words", "tr", lambda d: f"Tarih: {d.day} {_TR[d.month - 1]} {d.year}"),
    Form("in words", "ru", lambda d: f"от {d.day} {_RU[d.month - 1]} {d.year} г."),
    Form("in words", "uk", lambda d: f"від {d.day} {_UK[d.month - 1]} {d.year} р."),
    Form("in words", "he", lambda d: f"{d.day} ב{_HE[d.month - 1]} {d.year}"),
    Form("in words and script", "ar", lambda d: _in_script("٠", f"{d.day} {_AR[d.month - 1]} {d.year}")),
    Form("in words and script", "hi", lambda d: _in_script("०", f"{d.day} {_HI[d.month - 1]} {d.year}")),
    Form("in words, Buddhist year", "th", lambda d: f"{d.day} {_TH[d.month - 1]} {d.year + 543}"),
    Form("by year, month, day", "ja", lambda d: f"発行日 {d.year}年{d.month}月{d.day}日"),
    Form("by year, month, day", "ko", lambda d: f"{d.year}년 {d.month}월 {d.day}일"),
    Form("by eras", "ja", lambda d: f"令和{d.year - 2018}年{d.month}月{d.day}日"),
    Form("in digits", "iso", lambda d: f"issued {d.isoformat()}"),
    Form("in digits", "iso", lambda d: f"{d.isoformat()}T09:30:00Z"),
    Form("in digits", "de", lambda d: f"Datum: {d.day:02}.{d.month:02}.{d.year}"),
    Form("in digits", "de", lambda d: f"vom {d.day}.{d.month}.{d.year % 100:02}"),
    Form("in digits", "fr", lambda d: f"Date d'échéance : {d.day:02}/{d.month:02}/{d.year}"),
    Form("in digits", "es", lambda d: f"Fecha: {d.day:02}/{d.month:02}/{d.year}"),
    Form("in digits", "zh", lambda d: f"日期 {d.year}/{d.month:02}/{d.day:02}"),
)

_NAMES = (
    "Brightwater Software", "Café Müller", "Søren Kjærgård", "Łódź Handel", "Kestrel Freight",
    "Jean-Luc Picard", "O'Connor & Sons", "Straßenbau Weiß", "Harbor Lane Dental", "Solstice Energy",
    "São João Têxtil", "Ørsted Vind", "Иван Петров", "Νίκος Παπαδόπουλος", "Meadowbank Estates",
    "Éditions Gallimard", "Copper-Kettle", "Tidewater",
)  # fmt: skip


def _bare(name: str) -> str:
    table = {
        "ø": "o", "å": "a", "æ": "ae", "ł": "l", "Ł": "L", "ź": "z", "ß": "ss", "ã": "a", "ê": "e",
        "é": "e", "É": "E", "ü": "u", "ó": "o", "Ø": "O",
    }  # fmt: skip
    return "".join([table.get(sign, sign) for sign in name])


NAMES = (
    Form("as it is", "any", lambda v: f"Sold by: {v} Inc."),
    Form("capitals", "any", lambda v: f"SUPPLIER {v.upper()}"),
    Form("small letters", "any", lambda v: f"see {v.lower()} below"),
    Form("no accents", "any", lambda v: f"Vendor {_bare(v)}, Main Road"),
    Form("line break", "any", lambda v: "Bill to\n" + v.replace(" ", "\n")),
    Form("hyphen at line end", "any", lambda v: f"of {v[:3]}-\n{v[3:]} and others"),
    Form("soft hyphen", "any", lambda v: f"of {v[:4]}\u00ad{v[4:]} and others"),
    Form("double blanks", "any", lambda v: f"Customer:  {v.replace(' ', '   ')}  No. 7"),
)


def _spaced(code: str) -> str:
    return " ".join(re.findall(".{1,4}", code))


CODES = (
    Form("as it is", "any", lambda v: f"Invoice no.: {v}"),
    Form("small letters", "any", lambda v: f"ref {v.lower()}"),
    Form("blanks in groups of four", "any", lambda v: f"IBAN {_spaced(v)}"),
    Form("hyphens", "any", lambda v: f"No. {v[:2]}-{v[2:]}"),
    Form("points", "any", lambda v: f"ID {v[:2]} {v[2:]}"),
    Form("slashes", "any", lambda v: f"file {v[:4]}/{v[4:]}"),
)


def _amount(random: Random) -> Decimal:
    return Decimal(random.randrange(10**3, 10 ** random.randrange(4, 10))) / 100


def _negative(random: Random) -> Decimal:
    return -_amount(random)


def _millions(random: Random) -> Decimal:
    return Decimal(random.randrange(11, 9_999)) * 100_000 + 100_000 * (random.randrange(9) or 1)


def _share(random: Random) -> Decimal:
    return Decimal(random.choice([5, 7, 55, 10, 19, 20, 21, 23, 81, 125])) / (
        1000 if random.random() < 0.3 else 100
    )


def _day(random: Random) -> date:
    return date(2019, 6, 1) + timedelta(days=random.randrange(2_200))


def _code(random: Random) -> str:
    letters = "".join(random.choices("ABCDEFGHKLMNPRSTUVWXYZ", k=2))
    return letters + "".join(random.choices("0123456789", k=random.randrange(7, 17)))


KINDS: tuple[tuple[tuple[Form, ...], Callable[[Random], Any]], ...] = (
    (AMOUNTS, _amount),
    (NEGATIVES, _negative),
    (SCALED, _millions),
    (SHARES, _share),
    (DATES, _day),
    (NAMES, lambda random: random.choice(_NAMES)),
    (CODES, _code),
)


def _wrong(value: Any, other: Any, random: Random) -> Iterator[Any]:
    """Values near to it that the passage does not say: another's, with another digit, day, sign or scale."""
    if other != value:
        yield other
    match value:
        case Decimal():
            yield value + Decimal(1) / 100 * 10 ** random.randrange(4)
            yield value * 10
            if value < 0:
                yield -value
        case date():
            yield value + timedelta(days=random.choice([1, -1, 10, 31, 365]))
            if value.day <= 12 and value.day != value.month:
                yield value.replace(month=value.day, day=value.month)
        case str() if value[-1].isdigit():
            yield value[:-1] + str((int(value[-1]) + 1) % 10)
            yield value + "7"
            yield value[:-1]


def generated(count: int, seed: int = 5) -> Iterator[Pair]:
    """So many values for each form, right and wrong."""
    random = Random(seed)
    for forms, draw in KINDS:
        for form in forms:
            for _ in range(count):
                value, other = draw(random), draw(random)
                passage = form.write(value)
                yield Pair(form.notation, form.language, value, passage, True, str(value) in passage)
                for wrong in _wrong(value, other, random):
                    yield Pair(form.notation, form.language, wrong, passage, False)


# ---- real documents with known answers


def documents(folder: Path) -> Iterator[tuple[str, list[str], dict[str, Any]]]:
    """Name, lines and known answers of each real invoice."""
    for path in sorted([*folder.glob("pdf/*.expected.json"), *folder.glob("text/*.expected.json")]):
        known = json.loads(path.read_text())
        source = path.with_name(path.name.replace(".expected.json", ".pdf"))
        if isinstance(known, list) and known and isinstance(known[0], dict) and "issuer" in known[0]:
            if source.exists():
                with pdfium.PdfDocument(source) as document:
                    text = "\n".join([page.get_textpage().get_text_bounded() for page in document])
            else:
                text = source.with_suffix(".txt").read_text()
            yield (
                path.name.split(".")[0],
                [line for line in text.splitlines() if line.strip()],
                dict(_flat(known[0])),
            )


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _flat(inner, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _flat(inner, f"{path}[{number}]")
    elif value not in (None, ""):
        yield path, value


_DAY = re.compile(r"\d{4}-\d\d-\d\d")


def _prints(value: Any) -> list[str]:
    """The ways in which a known answer may be printed."""
    if isinstance(value, str) and _DAY.fullmatch(value):
        return [form.write(date.fromisoformat(value)).casefold() for form in _BARE_DATES]
    if isinstance(value, int | float):
        exact = Decimal(repr(value))
        found = {f"{exact:f}", f"{exact:.2f}"}
        return [*found, *[text.replace(".", ",") for text in found],
                *[_grouped(exact, group, point) for group, point in (",.", ".,", " ,", "'.")]]  # fmt: skip
    return [str(value).casefold()]


_BARE_DATES = (
    Form("", "", lambda d: d.isoformat()),
    Form("", "", lambda d: f"{_EN[d.month - 1]} {d.day}, {d.year}"),
    Form("", "", lambda d: f"{d.day} {_EN[d.month - 1]} {d.year}"),
    Form("", "", lambda d: f"{_EN[d.month - 1]} {d.day} , {d.year}"),
    Form("", "", lambda d: f"{d.day} {_FR[d.month - 1]} {d.year}"),
    Form("", "", lambda d: f"{d.day} {_NL[d.month - 1]} {d.year}"),
    Form("", "", lambda d: f"{d.day}. {_DE[d.month - 1]} {d.year}"),
    Form("", "", lambda d: f"{d.day:02}.{d.month:02}.{d.year}"),
    Form("", "", lambda d: f"{d.day:02}-{d.month:02}-{d.year}"),
    Form("", "", lambda d: f"{d.month:02}/{d.day:02}/{d.year}"),
    Form("", "", lambda d: f"{d.day:02}/{d.month:02}/{d.year}"),
)


def _is_printed(value: Any, line: str) -> bool:
    folded = line.casefold()
    return any(
        re.search(rf"(?<![\w.,/-]){re.escape(text)}(?![\w/-]|[.,]\d)", folded)
        for text in _prints(value)
        if text
    )


def _is_near(value: Any, line: str) -> bool:
    """Whether a line may say the value after all, in whatever way: such pairs are not taken for wrong."""
    if value == "EUR" and "€" in line:
        return True
    bare = re.sub(r"[\W_]", "", line.casefold())
    return any(re.sub(r"[\W_]", "", text) in bare for text in _prints(value)) or (
        isinstance(value, int | float) and f"{value:g}" in line
    )


def real(folder: Path, every: int = 1) -> Iterator[Pair]:
    """The known answers with the lines that print them, and with lines of other fields and documents.

    Of the latter, which are many, `every` how-many-th.
    """
    lines_of: list[tuple[str, str, Any, str]] = []
    for name, lines, known in documents(folder):
        for path, value in known.items():
            found = [line for line in lines if _is_printed(value, line)]
            if found and not isinstance(value, bool):
                line = max(found, key=lambda text: (_is_labelled(path, text), -len(text)))
                lines_of.append((name, path, value, line))
                yield Pair("real documents", name, value, line, True, str(value) in line)
    for number, (name, _, value, _) in enumerate(lines_of):
        for _, _, _, line in lines_of[number % every :: every]:
            if not _is_near(value, line):
                yield Pair("real documents, exchanged", name, value, line, False)


def _is_labelled(path: str, line: str) -> bool:
    return any(word in line.casefold() for word in re.findall(r"[a-z]{3,}", path.casefold()))

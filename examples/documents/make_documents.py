"""Draws the example documents: fictitious companies, the same bytes every time (needs fpdf2).

The texts of the PDFs are below; what they truly say is in expected.json beside this file.
"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from fpdf import FPDF

HERE = Path(__file__).resolve().parent
WIDTHS = (84, 22, 32, 32)  # of a table's columns, in mm

# Per file a list of pages. A page is a list of lines: a text, a pair (label, value), a row of four cells,
# or "" for a gap. A line that begins with "# " or "## " is a heading.
type Line = str | tuple[str, ...]

DOCUMENTS: dict[str, list[list[Line]]] = {
    "invoice-harbor-lane.pdf": [
        [
            "# INVOICE",
            "",
            ("From", "Harbor & Lane Printing Ltd"),
            ("Bill to", "Wren Street Books"),
            "",
            ("Invoice number", "HL-2026-0417"),
            ("Invoice date", "14 September 2026"),
            ("Due date", "14 October 2026"),
            "",
            ("Description", "Qty", "Unit price", "Amount"),
            ("Poster, A2, matt", "40", "£3.50", "£140.00"),
            ("Bookmarks, both sides", "500", "£0.12", "£60.00"),
            ("Delivery by van", "1", "£18.00", "£18.00"),
            "",
            ("Subtotal", "£218.00"),
            ("VAT 20%", "£43.60"),
            ("Total due", "£261.60"),
            "",
            "Please pay within 30 days. Thank you for printing with us.",
        ]
    ],
    "invoice-brightwater.pdf": [
        [
            "# Brightwater Software Inc.",
            "410 Mill Race Road, Portland, OR",
            "",
            ("Sold by", "Brightwater Software Inc."),
            ("Customer", "Oakfield Dental Group"),
            "",
            ("Invoice no.", "BW-10982"),
            ("Issue date", "October 2, 2026"),
            ("PO number", "4500-7731"),
            "",
            ("Description", "Qty", "Unit price", "Amount"),
            ("Appointment planner, seats", "24", "$19.00", "$456.00"),
            ("Text reminders, thousand", "6", "$8.50", "$51.00"),
            ("Onboarding workshop", "1", "$350.00", "$350.00"),
            "",
            "Continued on page 2: taxes, total and terms of payment.",
        ],
        [
            "# Brightwater Software Inc.",
            "Summary of charges",
            "",
            ("Subtotal", "$857.00"),
            ("Sales tax", "$0.00"),
            ("Amount due", "$857.00"),
            ("Due date", "November 1, 2026"),
            "",
            "Late payments carry interest of 1% per month.",
        ],
    ],
    "rechnung-alpenglas.pdf": [
        [
            "# RECHNUNG",
            "",
            ("Lieferant", "Alpenglas Manufaktur GmbH"),
            ("Kunde", "Hotel Seeblick"),
            "",
            ("Rechnungsnummer", "2026-1188"),
            ("Rechnungsdatum", "03.08.2026"),
            ("Zahlbar bis", "02.09.2026"),
            "",
            ("Bezeichnung", "Menge", "Einzelpreis", "Betrag"),
            ("Weinglas, mundgeblasen", "72", "14,90", "1.072,80"),
            ("Karaffe 1 Liter", "12", "39,50", "474,00"),
            "",
            ("Nettobetrag", "1.546,80 EUR"),
            ("MwSt. 19%", "293,89 EUR"),
            ("Gesamtbetrag", "1.840,69 EUR"),
            "",
            "Vielen Dank für Ihren Auftrag. Bitte geben Sie die Rechnungsnummer bei der Zahlung an.",
        ]
    ],
    "facture-mimosa.pdf": [
        [
            "# FACTURE",
            "",
            ("Fournisseur", "Atelier Mimosa SARL"),
            ("Client", "Le Petit Cinéma"),
            "",
            ("Facture n°", "F-2026-073"),
            ("Date de facturation", "21/09/2026"),
            ("Échéance", "21/10/2026"),
            "",
            ("Désignation", "Quantité", "Prix unitaire", "Montant"),
            ("Fauteuil, velours rouge", "8", "215,00", "1 720,00"),
            ("Pose et réglage", "1", "180,00", "180,00"),
            "",
            ("Total HT", "1 900,00 EUR"),
            ("TVA 20%", "380,00 EUR"),
            ("Total TTC", "2 280,00 EUR"),
            "",
            "Paiement par virement à trente jours.",
        ]
    ],
    "invoice-kestrel-freight.pdf": [
        [
            "# Kestrel Freight Lines",
            "Freight invoice, page 1 of 2",
            "",
            ("Supplier", "Kestrel Freight Lines"),
            ("Customer", "Juniper & Sons Hardware"),
            ("Order number", "SO-55210"),
            "",
            ("Invoice #", "KF/26/3307"),
            ("Date", "2026-10-19"),
            ("Due date", "2026-11-18"),
            "",
            ("Description", "Qty", "Unit price", "Amount"),
            ("Pallets, Hamburg to Oslo", "6", "148.00", "888.00"),
            ("Tail lift", "2", "35.00", "70.00"),
            ("Waiting time, hours", "3", "42.00", "126.00"),
        ],
        [
            "# Kestrel Freight Lines",
            "Freight invoice, page 2 of 2",
            "",
            ("Net total", "EUR 1,084.00"),
            ("VAT 0%", "EUR 0.00"),
            ("Total amount due", "EUR 1,084.00"),
            "",
            "Claims for damage must reach us in writing within seven days of delivery.",
        ],
    ],
    "bill-solstice-energy.pdf": [
        [
            "# Your electricity bill",
            "",
            ("Issued by", "Solstice Energy Cooperative"),
            ("Account number", "7702-4418"),
            "",
            ("Bill number", "SE-884120"),
            ("Billing date", "5 November 2026"),
            ("Payment due date", "26 November 2026"),
            "",
            ("Description", "Units", "Rate", "Amount"),
            ("Day units, kWh", "310", "$0.18", "$55.80"),
            ("Night units, kWh", "120", "$0.09", "$10.80"),
            ("Standing charge", "1", "$12.40", "$12.40"),
            "",
            ("Total due", "$79.00"),
            "",
            "All of your electricity came from wind and water.",
        ]
    ],
    "receipt-copper-kettle.pdf": [
        [
            "# The Copper Kettle Cafe",
            "12 Quay Street",
            "",
            ("Merchant", "The Copper Kettle Cafe"),
            ("Receipt no.", "88213"),
            ("Date", "7 November 2026"),
            "",
            ("Item", "Qty", "Price", "Amount"),
            ("Flat white", "2", "$4.20", "$8.40"),
            ("Walnut cake", "1", "$5.50", "$5.50"),
            "",
            ("Subtotal", "$13.90"),
            ("Tax", "$1.11"),
            ("Total", "$15.01"),
            "",
            "Paid by card. See you soon!",
        ]
    ],
    "receipt-lanternfish-diving.pdf": [
        [
            "# Lanternfish Diving School",
            "",
            ("Sold by", "Lanternfish Diving School"),
            ("Receipt number", "LD-0091"),
            ("Date", "28 August 2026"),
            "",
            ("Item", "Qty", "Price", "Amount"),
            ("Beginner course, two days", "1", "CHF 320.00", "CHF 320.00"),
            ("Wetsuit, rented", "2", "CHF 25.00", "CHF 50.00"),
            "",
            ("Grand total", "CHF 370.00"),
            "",
            "Paid in cash.",
        ]
    ],
    "agreement-meadowbank.pdf": [
        [
            "# Cleaning services agreement",
            "between Meadowbank Offices Ltd and Tidy Fox Cleaning Co.",
            "",
            "## Services",
            (
                "Tidy Fox cleans the offices every weekday evening between six and nine. "
                "Windows are cleaned twice a year."
            ),
            "",
            "## Fee",
            (
                "The monthly fee is 1,450 euros, payable on the first working day of each month. "
                "The fee may be raised once a year by at most three percent."
            ),
            "",
            "## Keys",
            (
                "Tidy Fox keeps two sets of keys in a locked cabinet. "
                "The loss of a key must be reported on the same day."
            ),
        ],
        [
            "# Cleaning services agreement",
            "",
            "## Termination",
            (
                "Either party may end the agreement in writing with a notice of three months "
                "to the end of a quarter. Ending it sooner costs one fee."
            ),
            "",
            "## Liability",
            "Tidy Fox is insured for damage of up to two million euros per year.",
            "",
            "## Law",
            "This agreement is governed by the law of Ireland.",
        ],
    ],
}


def draw(pages: list[list[Line]]) -> bytes:
    """Draw one PDF. Nothing in it depends on the day, the machine or the version of a compressor."""
    pdf = FPDF(format="A4")
    pdf.set_compression(False)
    pdf.set_creation_date(datetime(2026, 1, 1, tzinfo=UTC))
    pdf.set_producer("Batchata examples")
    for lines in pages:
        pdf.add_page()
        for line in lines:
            draw_line(pdf, line)
    return bytes(pdf.output())


def draw_line(pdf: FPDF, line: Line) -> None:
    """Draw one line of a page; the cursor is below it afterwards."""
    match line:
        case "":
            pdf.ln(4)
        case (label, value):
            pdf.set_font("helvetica", "B", 11)
            pdf.cell(55, 7, label + ":")
            pdf.set_font("helvetica", "", 11)
            pdf.cell(0, 7, value, new_x="LMARGIN", new_y="NEXT")
        case tuple():
            draw_row(pdf, line)
        case _ if line.startswith("#"):
            mark, text = line.split(" ", 1)
            size = {"#": 18, "##": 12}[mark]
            pdf.set_font("helvetica", "B", size)
            pdf.cell(0, size * 0.65, text, new_x="LMARGIN", new_y="NEXT")
        case _:
            pdf.set_font("helvetica", "", 11)
            pdf.multi_cell(0, 6, line, new_x="LMARGIN", new_y="NEXT", align="L")


def draw_row(pdf: FPDF, cells: tuple[str, ...]) -> None:
    """Draw one row of a table: the first column to the left, amounts to the right."""
    pdf.set_font("helvetica", "", 10)
    for cell, width in zip(cells, WIDTHS, strict=True):
        pdf.cell(width, 7, cell, border="B", align="L" if width == WIDTHS[0] else "R")
    pdf.ln(7)


if __name__ == "__main__":
    for name, pages in DOCUMENTS.items():
        (HERE / name).write_bytes(draw(pages))
        print(f"{name}: {len(pages)} pages")

from pydantic import BaseModel

import batchata.sandbox
from batchata import BatchManager

batchata.sandbox.use(state="sandbox")  # offline, free, simulated; without this line: the real service


class Invoice(BaseModel):
    vendor: str
    invoice_number: str
    total: float


manager = BatchManager(
    files=["examples/documents/invoice-brightwater.pdf", "examples/documents/invoice-harbor-lane.pdf"],
    prompt="Extract the invoice.",
    model="claude-sonnet-5-5",
    response_model=Invoice,
    enable_citations=True,
    state_path="invoices.db",
    max_cost=5.00,
)
manager.run(print_progress=True)
for item in manager.items():
    if item.result is None:
        print(item.name, item.error)
    else:
        print(item.result, item.pages("total"), item.cost)

"""Hold what is known of each item in columns, and the queue of items that wait for their next attempt."""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator
from decimal import Decimal

from batchata.core.money import EXACT, PICO_DIGITS

# Costs per item are kept as whole picodollars (1e-12 USD) in eight bytes; published prices are multiples
# of 1e-9 USD a token, so nothing is rounded. What does not fit goes to a dict beside the column.
_INT64 = 2**63 - 1


class Items:
    """What is known of each item, in columns: about 32 bytes an item."""

    def __init__(self) -> None:
        self.status = bytearray()
        self.attempts = bytearray()  # in the current set of attempts
        self.sends = array("H")  # in all
        self.job = array("i")  # the last job that held it, -1 for none
        self.outcome = array("q")  # version of its last outcome_recorded, 0 for none
        self.body = array("q")  # the body that holds its last result line, -1 for none
        self.same_as: dict[int, int] = {}  # item -> the earlier one whose request it shares
        self.copies: dict[int, list[int]] = {}  # the other way around
        # Item -> job, version and body of an answer that fits, and that was asked for again because its
        # passages say something else: it is the item's result if no better one comes.
        self.kept: dict[int, tuple[int, int, int]] = {}
        self.raised: dict[int, int] = {}  # item -> what its answer may have at least, by the user's word
        self._cost = array("q")
        self._odd_costs: dict[int, Decimal | None] = {}

    def __len__(self) -> int:
        return len(self.status)

    def grow(self, count: int) -> None:
        """Add `count` fresh items at the end."""
        self.status.extend(bytes(count))
        self.attempts.extend(bytes(count))
        self.sends.extend([0] * count)
        self.job.extend([-1] * count)
        self.outcome.extend([0] * count)
        self.body.extend([-1] * count)
        self._cost.extend([0] * count)

    def send(self, first: int, last: int, job: int, status: int) -> None:
        """Note that a job carries the items of a range, each for one more time.

        Raises IndexError where there are no such items; assigning to a slice would create them.
        """
        if not 0 <= first <= last < len(self.status):
            raise IndexError(f"there are no items {first} to {last}")
        span, count = slice(first, last + 1), last + 1 - first
        self.status[span] = bytes((status,)) * count
        self.attempts[span] = bytes([sent + 1 for sent in self.attempts[span]])
        self.sends[span] = array("H", [sent + 1 for sent in self.sends[span]])
        self.job[span] = array("i", (job,)) * count

    def share(self, index: int, original: int) -> None:
        """Let everything that happens to the original happen to the item at `index` too, except its cost."""
        self.same_as[index] = original
        self.copies.setdefault(original, []).append(index)
        self._copy(original, index)

    def mirror(self, index: int) -> int:
        """Update the items that share this item's request; return how many they are, itself included."""
        if not self.copies:
            return 1
        copies = self.copies.get(index, ())
        for copy in copies:
            self._copy(index, copy)
        return 1 + len(copies)

    def part(self, index: int) -> None:
        """Give the item, and each item that shared its request, a request of its own from now on."""
        original = self.same_as.pop(index, None)
        if original is not None:
            self.copies[original].remove(index)
            if not self.copies[original]:
                del self.copies[original]
        for copy in self.copies.pop(index, ()):
            del self.same_as[copy]

    def _copy(self, original: int, index: int) -> None:
        for column in (self.status, self.attempts, self.sends, self.job, self.outcome, self.body):
            column[index] = column[original]

    def cost(self, index: int) -> Decimal | None:
        """Return what the item has cost so far in USD, None when a price was unknown."""
        if index in self._odd_costs:
            return self._odd_costs[index]
        return EXACT.add(Decimal(self._cost[index]).scaleb(-PICO_DIGITS, EXACT).normalize(EXACT), 0)

    def charge(self, index: int, amount: Decimal | None) -> None:
        """Add to the item's cost; an unknown amount makes the whole unknown."""
        if amount is not None and index not in self._odd_costs:
            scaled = amount.scaleb(PICO_DIGITS, EXACT)
            pico = int(scaled)
            after = self._cost[index] + pico
            if pico == scaled and -_INT64 <= after <= _INT64:
                self._cost[index] = after
                return
        before = self.cost(index)
        self._odd_costs[index] = None if before is None or amount is None else EXACT.add(before, amount)

    def charge_picos(self, indexes: Iterable[int], picos: Iterable[int]) -> None:
        """Add whole picodollars to the costs of these items."""
        cost, odd = self._cost, self._odd_costs
        for index, pico in zip(indexes, picos, strict=True):
            if index in odd or not -_INT64 <= cost[index] + pico <= _INT64:
                self.charge(index, Decimal(pico).scaleb(-PICO_DIGITS, EXACT))
            else:
                cost[index] += pico


class Requeued:
    """Items to be sent again, grouped by the time before which they must not be."""

    def __init__(self) -> None:
        self._not_before: dict[int, int] = {}
        self._groups: dict[int, dict[int, None]] = {}

    def __len__(self) -> int:
        return len(self._not_before)

    def put(self, index: int, not_before: int) -> None:
        """Let the item wait until then."""
        self.discard(index)
        self._not_before[index] = not_before
        self._groups.setdefault(not_before, {})[index] = None

    def discard(self, index: int) -> None:
        """Take the item out of the queue, if it is there."""
        not_before = self._not_before.pop(index, None)
        if not_before is None:
            return
        group = self._groups[not_before]
        del group[index]
        if not group:
            del self._groups[not_before]

    def hasten(self, latest: int) -> None:
        """Bring forward to then all items that would wait longer."""
        for late in [time for time in self._groups if time > latest]:
            for index in list(self._groups[late]):
                self.put(index, latest)

    def due(self, now: int) -> Iterator[int]:
        """Return the items whose time has come, those that waited longest first."""
        for not_before in sorted(self._groups):
            if not_before <= now:
                yield from self._groups[not_before]

    def times(self) -> Iterable[int]:
        """Return the times at which items are due."""
        return self._groups.keys()

    def earliest(self) -> int | None:
        """Return when the first of the items is due; None without items."""
        return min(self._groups, default=None)

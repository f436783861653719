"""Files described group by group, the next ones while the first are worked on."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from itertools import islice

from usfm_studio.children.ticket import Ticket
from usfm_studio.imaging.description import FileDescription, descriptions_from
from usfm_studio.imaging.walk import Found
from usfm_studio.verbs.house import House
from usfm_studio.verbs.steps import Steps, answer

GROUP = 200
AHEAD = 2

Described = tuple[Found, FileDescription]


class Describing:
    """One outcome a file, with its digest, in the order of the files. Call `stop` in the end."""

    def __init__(self, house: House, files: Sequence[Found]) -> None:
        self._house, self._files = house, iter(files)
        self._asked: deque[tuple[list[Found], Ticket]] = deque()

    def next(self) -> Steps[list[Described]]:
        """The next group; empty at the end. Raises what the reader raises."""
        while len(self._asked) < AHEAD and (group := list(islice(self._files, GROUP))):
            self._asked.append((group, self._house.reader.describe(group, digest=True)))
        if not self._asked:
            return []
        group, ticket = self._asked[0]
        described = descriptions_from((yield from answer(ticket)))
        self._asked.popleft()
        return list(zip(group, described, strict=True))

    def stop(self) -> None:
        """Take back what is still asked for."""
        for _, ticket in self._asked:
            ticket.cancel()

"""A workbook from the rows of a CSV file, row by row: the whole of it is never in memory."""

import csv
import re
from collections.abc import Iterable
from pathlib import Path

from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

# What a sheet holds, its heading among them.
MOST_ROWS = 1_048_576
_NUMBER = re.compile(r"^-?(0|[1-9][0-9]{0,14})(\.[0-9]+)?$")


class WorkbookWriter:
    """Writes rows into sheets; a full one is followed by another with the same heading."""

    def __init__(self, path: Path, most_rows: int = MOST_ROWS) -> None:
        # In constant memory a row is on the disk before the next comes; text is never taken for formulas or links.
        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        self._book = Workbook(str(path), {**options, "tmpdir": str(path.parent)})
        self._bold = self._book.add_format({"bold": True})
        self._most, self._heading = most_rows, [""]
        self._sheet: Worksheet | None = None
        self._row = 0

    def write(self, lines: Iterable[str]) -> None:
        """Rows as CSV; the first of all is the heading."""
        for values in csv.reader(lines):
            if self._sheet is None:
                self._heading = values
                self._begin()
                continue
            if self._row == self._most:
                self._begin()
            self._put(self._sheet, values)

    def close(self) -> None:
        self._book.close()

    def _begin(self) -> None:
        self._sheet = self._book.add_worksheet()
        self._sheet.freeze_panes(1, 0)
        self._sheet.set_column(0, len(self._heading) - 1, 16)
        for column, name in enumerate(self._heading):
            self._sheet.write_string(0, column, name, self._bold)
        self._row = 1

    def _put(self, sheet: Worksheet, values: Iterable[str]) -> None:
        for column, value in enumerate(values):
            if _NUMBER.match(value):
                sheet.write_number(self._row, column, float(value))
            elif value:
                sheet.write_string(self._row, column, value)
        self._row += 1

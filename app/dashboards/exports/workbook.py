"""A workbook from the rows of a CSV file, row by row: the whole of it is never in memory."""

import csv
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Literal

from xlsxwriter import Workbook
from xlsxwriter.worksheet import Worksheet

# What a sheet holds, its heading among them.
MOST_ROWS = 1_048_576
# What stands in a column: an agency's number looks like one to count with, and is none.
CellKind = Literal["words", "number", "day", "moment"]
_WIDTHS = {"words": 24, "number": 12, "day": 12, "moment": 20}
# Format 14 is the short date of whoever opens it. A sheet knows no time zone: the heading says which.
_FORMATS: dict[str, dict[str, object]] = {"day": {"num_format": 14}, "moment": {"num_format": "yyyy-mm-dd hh:mm:ss"}}


class WorkbookWriter:
    """Writes rows into sheets, each column as what it is; a full sheet is followed by another with the same heading."""

    def __init__(self, path: Path, kinds: Sequence[CellKind], most_rows: int = MOST_ROWS) -> None:
        # In constant memory a row is on the disk before the next comes; text is never taken for formulas or links.
        options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
        self._book = Workbook(str(path), {**options, "tmpdir": str(path.parent)})
        self._bold = self._book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
        self._formats = {kind: self._book.add_format(given) for kind, given in _FORMATS.items()}
        self._kinds, self._most, self._heading = kinds, most_rows, [""]
        self._sheet: Worksheet | None = None
        self._row = 0

    def write(self, lines: Iterable[str]) -> None:
        """Rows as CSV; the first of all is the heading."""
        for values in csv.reader(lines):
            if self._sheet is None:
                self._heading = values
                self._sheet = self._begin()
                continue
            if self._row == self._most:
                self._end(self._sheet)
                self._sheet = self._begin()
            self._put(self._sheet, values)

    def close(self) -> None:
        if self._sheet is not None:
            self._end(self._sheet)
        self._book.close()

    def _begin(self) -> Worksheet:
        sheet = self._book.add_worksheet()
        sheet.freeze_panes(1, 0)
        for column, kind in enumerate(self._kinds):
            sheet.set_column(column, column, _WIDTHS[kind])
        for column, name in enumerate(self._heading):
            sheet.write_string(0, column, name, self._bold)
        self._row = 1
        return sheet

    def _end(self, sheet: Worksheet) -> None:
        sheet.autofilter(0, 0, self._row - 1, len(self._heading) - 1)

    def _put(self, sheet: Worksheet, values: Iterable[str]) -> None:
        for column, (value, kind) in enumerate(zip(values, self._kinds, strict=True)):
            if not value:
                continue
            if kind == "number":
                sheet.write_number(self._row, column, float(value))
            elif kind == "day":
                sheet.write_datetime(self._row, column, date.fromisoformat(value), self._formats[kind])
            elif kind == "moment":
                local = datetime.fromisoformat(value).replace(tzinfo=None)
                sheet.write_datetime(self._row, column, local, self._formats[kind])
            else:
                sheet.write_string(self._row, column, value)
        self._row += 1

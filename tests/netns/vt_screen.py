# SPDX-License-Identifier: GPL-3.0-or-later
"""What a terminal shows of the bytes that it was sent: the part of ECMA-48 and of a Linux console (console_codes(4)) that bootkey uses.
Everything else is an error, so that a program which tests pass here needs no more of a terminal.
"""

import re
import unicodedata

# CUU, EL to the end, ED to the end, SGR of a whole line, and wrapping off and on (DECAWM)
_SEQUENCE = re.compile(r"\x1b\[(\??)([0-9]*)([A-Za-z])")


def width_of(character):
    """Columns: none for one that combines with the one before, two for a wide one."""
    if unicodedata.combining(character) or unicodedata.category(character) in ("Mn", "Me", "Cf"):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


class Screen:
    """Rows of text, the last line typed at the bottom. `rows`, `columns`: its size."""

    def __init__(self, rows, columns):
        self._columns = columns
        self._rows = [[" "] * columns for _ in range(rows)]
        self._row = self._column = 0
        self._wraps = True
        self._rest = b""

    def feed(self, data):
        """More bytes; a character or sequence that is not whole waits for the rest."""
        data = self._rest + data
        text = data.decode("utf-8", errors="ignore" if _is_cut(data) else "strict")
        self._rest = data[len(text.encode()):]
        begun = text.rfind("\x1b", max(0, len(text) - 8))
        if begun >= 0 and not _SEQUENCE.match(text, begun):
            self._rest = text[begun:].encode() + self._rest
            text = text[:begun]
        while text:
            text = text[self._take(text):]

    def lines(self):
        """The rows as text, without blanks at their ends; those below the last one that is not empty are left out."""
        lines = ["".join(cells).rstrip() for cells in self._rows]
        while lines and not lines[-1]:
            lines.pop()
        return lines

    def text(self):
        return "\n".join(self.lines())

    def cursor(self):
        return self._row, self._column

    def _take(self, text):
        character = text[0]
        if character == "\x1b":
            match = _SEQUENCE.match(text)
            if not match:
                raise AssertionError(f"no sequence that is known: {text[:12]!r}")
            self._sequence(*match.groups())
            return match.end()
        if character == "\r":
            self._column = 0
        elif character == "\n":
            self._line_feed()
        elif character == "\b":
            self._column = max(0, min(self._column, self._columns - 1) - 1)
        elif ord(character) < 32 or 127 <= ord(character) < 160:
            raise AssertionError(f"a control character: {text[:12]!r}")
        else:
            self._put(character)
        return 1

    def _put(self, character):
        width = width_of(character)
        cells = self._rows[self._row]
        if width == 0:
            cells[max(0, self._column - 1)] += character
            return
        if self._column + width > self._columns:
            if self._wraps:
                self._column = 0
                self._line_feed()
                cells = self._rows[self._row]
            else:
                self._column = self._columns - width
        cells[self._column] = character
        if width == 2:
            cells[self._column + 1] = ""
        self._column += width  # which may be one beyond the last column, until the next character

    def _line_feed(self):
        self._row += 1
        if self._row == len(self._rows):
            self._row -= 1
            self._rows.append([" "] * self._columns)
            del self._rows[0]

    def _sequence(self, private, number, final):
        count = int(number or 0)
        if (private, number, final) in (("?", "7", "h"), ("?", "7", "l")):
            self._wraps = final == "h"
        elif not private and final == "A":
            self._row = max(0, self._row - max(count, 1))
        elif not private and final in "KJ" and count == 0:
            cells = self._rows[self._row]
            cells[self._column:] = [" "] * (self._columns - self._column)
            if final == "J":
                for row in range(self._row + 1, len(self._rows)):
                    self._rows[row] = [" "] * self._columns
        elif (private, final) != ("", "m") or count not in (0, 1, 7):
            raise AssertionError(f"a sequence that not every terminal knows: ESC [ {private}{number}{final}")


def _is_cut(data):
    """Whether the last character is not whole."""
    try:
        data.decode()
    except UnicodeDecodeError as error:
        return error.reason == "unexpected end of data"
    return False

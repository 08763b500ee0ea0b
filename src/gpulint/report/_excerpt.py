"""Source excerpts with marks under the spans that they are about, aligned by terminal columns."""

from __future__ import annotations

from gpulint.record import record
from gpulint.report._display import cells, columns
from gpulint.source.text import Place


@record
class Mark:
    """A span in one line: the line's text, cut to fit, and the offset and length of the span in it, in columns.

    `more_lines` is how many lines the span goes on for after this one.
    """

    line: int
    text: str
    offset: int
    length: int
    more_lines: int


def mark(place: Place, width: int) -> Mark | None:
    """The first line of a place, in at most `width` columns chosen around the span; None where the line is blank."""
    line, column, end_line, end_column = place.region()
    text = place.source.line_text(line)
    if not text.strip():
        return None
    start, end = min(column - 1, len(text)), min(end_column - 1, len(text))
    if end_line > line:
        # A block ends where the next node begins: the blank lines before that are not of it.
        end_line = place.source.position(place.start + len(place.text().rstrip()))[0]
        end = len(text.rstrip())
    shown, offset, length = window(text, start, max(start, end), width)
    return Mark(line, shown, offset, length, max(0, end_line - line))


def window(text: str, start: int, end: int, width: int) -> tuple[str, int, int]:
    """What to show of a line so that the characters [start, end) are seen in `width` columns, with … where it is cut.

    Also the offset and the length of the span in what is shown, in columns; the length is at least 1.
    """
    if len(text) <= width and text.isascii() and text.isprintable() and "##" not in text:
        return text.rstrip(), start, max(1, end - start)  # as nearly every line: shown as it is
    # Lines can be megabytes long: look only at as many characters on either side as there are columns.
    first, last = max(0, start - width), min(len(text), start + width)
    shown = cells(text[first:last])
    before, span, after = shown[: start - first], shown[start - first : end - first], shown[end - first :]
    if first > 0 or last < len(text) or columns("".join(shown)) > width:
        room = width - 2  # one … at each end
        span = _fitting(span, room)
        room -= columns("".join(span))
        left = _fitting(before[::-1], max(room // 2, room - columns("".join(after))))
        room -= columns("".join(left))
        right = _fitting(after, room) if len(span) == end - start else []
        cut_left, cut_right = len(left) < start, start + len(span) + len(right) < len(text)
        before = ["…"] * cut_left + left[::-1]
        after = right + ["…"] * cut_right
    offset, length = columns("".join(before)), columns("".join(span))
    return "".join([*before, *span, *after]).rstrip(), offset, max(1, length)


def _fitting(shown: list[str], width: int) -> list[str]:
    """As many of the first cells as `width` columns hold."""
    for count, cell in enumerate(shown):
        width -= columns(cell)
        if width < 0:
            return shown[:count]
    return shown

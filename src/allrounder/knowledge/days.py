"""Days, as people write them."""

from datetime import date

from allrounder.errors import DataError
from allrounder.types import Day


def as_day(day: Day, what: str = "as of") -> date | None:
    """Return a day that may be written as text.

    Args:
        day: a day, its text such as 2025-01-31, or None.
        what: what it is the day of, for the message.

    Raises:
        DataError: it is no day.
    """
    if day is None or isinstance(day, date):
        return day
    try:
        return date.fromisoformat(day)
    except ValueError:
        raise DataError(f"{what} {day!r}: expected a day such as 2025-01-31.") from None

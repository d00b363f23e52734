"""The browser in which the page is tried."""

from browsers import chrome, visit

__all__ = ["chrome", "visit"]

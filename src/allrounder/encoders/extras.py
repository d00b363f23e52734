"""Optional libraries, asked for where they are first needed."""

from importlib import import_module
from typing import Any

from allrounder.errors import MissingExtra


def extra(module: str, *, name: str, package: str) -> Any:
    """Return the optional `module`.

    Args:
        module: what to import.
        name: the extra of allrounder that brings it.
        package: what people call the library.
    """
    try:
        return import_module(module)
    except (ImportError, OSError) as error:  # OSError: a C library that it wraps is not there
        raise MissingExtra(
            f"Inputs of kind `{name}` need {package}. Try: pip install 'allrounder[{name}]'"
        ) from error

"""The training loop and what surrounds it.

Only the settings are imported here, so that `check` can read them without torch; the loop is in
`loop`, one whole training in `fit`.
"""

from allrounder.training.settings import Gate, Training, Twins

__all__ = ["Gate", "Training", "Twins"]

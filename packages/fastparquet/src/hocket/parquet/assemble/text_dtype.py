"""The dtype that pandas itself gives to strings."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import pandas as pd

__all__ = ["default_text_dtype"]

_HAS_STR_DTYPE: Final = int(pd.__version__.split(".", 1)[0]) >= 3


def default_text_dtype() -> Any:
    """Return the dtype of strings that come without one: ``str``, or ``object`` in older ways."""
    if _HAS_STR_DTYPE:
        found = pd.api.types.pandas_dtype("str")
        return found if isinstance(found, pd.StringDtype) else np.dtype(object)
    return pd.Series(["a"]).dtype

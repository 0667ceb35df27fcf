"""Writes docs/settings.md from the settings tree, or tells whether it is fresh (``--check``)."""

from __future__ import annotations

import inspect
import sys
from typing import Final

from generated_page import write_or_compare
from hocket.core.settings import ENVIRONMENT_PREFIX, FILE_VARIABLE, Settings, setting_kinds
from workspace import ROOT

PAGE: Final = ROOT / "docs" / "settings.md"

HEAD: Final = f"""\
# Settings

<!-- Written by `tools/do.py docs` from hocket.core.settings. Do not edit: change the code. -->

Every process reads its settings from four layers; a later one wins:

1. the defaults on this page;
2. a YAML file, named in code or by the variable `{FILE_VARIABLE}`;
3. environment variables that begin with `{ENVIRONMENT_PREFIX}`, with two underscores between
   section and name;
4. code.

The same setting in each:

```yaml
worker:
  inline_nbytes_max: 64 KiB
```

```sh
export {ENVIRONMENT_PREFIX}WORKER__INLINE_NBYTES_MAX=64KiB
```

```python
load_settings(overrides={{"worker.inline_nbytes_max": "64 KiB"}})
```

Bytes are written as numbers or with a unit (`kB`, `MB`, `GB` are powers of 1000; `KiB`, `MiB`,
`GiB` of 1024), times as seconds or with `ns`, `us`, `ms`, `s`, `min`, `h`, `d`. A name that is not
on this page is an error, and so is a wrong value: both say where they stand. That holds for every
variable that begins with `{ENVIRONMENT_PREFIX}` as well, but for those of the Parquet library
(`HOCKET_PARQUET_THREADS` and others).
"""


def page() -> str:
    """Return the page."""
    settings = Settings()
    parts = [HEAD]
    for section, kinds in setting_kinds().items():
        values = getattr(settings, section)
        parts.append(f"\n## {section}\n\n{inspect.getdoc(type(values))}\n")
        for name, kind in kinds.items():
            default = kind.format(getattr(values, name))
            shown = f"`{default}`" if default else "empty"
            variable = f"{ENVIRONMENT_PREFIX}{section}__{name}".upper()
            parts.append(
                f"\n### {section}.{name}\n\n{kind.doc}\n\n"
                f"Default {shown}; {kind.describe()}. Variable `{variable}`.\n"
            )
    return "".join(parts)


def main(arguments: list[str]) -> int:
    """Write the page, or compare it with what is there; return the exit code."""
    return write_or_compare(PAGE, page(), arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

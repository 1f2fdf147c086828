"""Arguments and options that several commands share."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


class Debugging:
    """Whether the command shows the traceback of an error."""

    on = False


def _set_debug(value: bool) -> bool:
    Debugging.on = Debugging.on or value
    return value


ScenarioFile = Annotated[Path, typer.Argument(metavar="FILE", help="scenario file (TOML)")]
RunDirectory = Annotated[Path, typer.Argument(metavar="DIR", help="directory of a finished run")]
ResultDirectory = Annotated[
    Path, typer.Argument(metavar="DIR", help="directory of a finished run, or of a study")
]
Seed = Annotated[int | None, typer.Option(min=0, help="of all random draws")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="change any key; may be repeated"),
]
Threads = Annotated[
    int | None, typer.Option(min=1, help="cores to use; the result does not depend on it")
]
Plugins = Annotated[
    list[Path] | None,
    typer.Option("--plugin", metavar="FILE.py", help="import own worlds, minds or schemes first"),
]
Debug = Annotated[
    bool, typer.Option("--debug", callback=_set_debug, help="show the traceback of an error")
]
Checkpoint = Annotated[
    str,
    typer.Option(
        "--checkpoint",
        metavar="N|TIME",
        help="how often to write the state down: generations, or 90s, 10min, 1h, never",
    ),
]
Resume = Annotated[
    bool, typer.Option("--resume", help="go on with the run that was interrupted here")
]
Strict = Annotated[
    bool, typer.Option("--strict", help="exit 1 if a claim fails for no reason that is given")
]

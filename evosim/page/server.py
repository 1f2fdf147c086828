"""Serve the page of a scenario to a browser on this machine."""

from __future__ import annotations

import os
import socket
import sys
import tempfile
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from evosim.errors import UserError, missing_extra

#: The package that each part of the page comes from.
NEEDED = ("solara", "solara_assets", "altair", "networkx")


def serve(
    file: Path,
    *,
    host: str = "127.0.0.1",
    port: int = 8765,
    arm: str | None = None,
    seed: int | None = None,
    sliders: Sequence[str] = (),
    settings: dict[str, Any] | None = None,
) -> None:
    """Serve the page of a scenario until the process is ended.

    Everything that the browser loads comes from this server. Its address is printed once it
    answers.

    Parameters
    ----------
    file : path
        Scenario file.
    host, port
        Where to listen.
    arm : str, optional
        Label of the arm; default: the file's own, or the first.
    seed : int, optional
    sliders : sequence of str
        Keys of the numbers that can be moved; see `evosim.page.sliders.ranges`.
    settings : dict, optional
        Changed keys.

    Raises
    ------
    UserError
        A package of the extra is missing, the port is in use, the scenario or a key is wrong.
    """
    from evosim.api import prepare
    from evosim.page.sliders import ranges

    for package in NEEDED:
        if find_spec(package) is None:
            raise missing_extra(package, "serve")
    scenario = prepare(file, {"set": settings or {}})
    cell = scenario.cell(arm)
    chosen = ranges(cell.model, scenario.model.arm, sliders)
    listening = _listen(host, port)
    _settle()
    from evosim.page import app

    made = app.model_class(scenario, cell.label, seed, chosen)
    made().step()  # compiles, and meets what only shows in a life, before anybody waits
    app.PAGE = app.make_page(made)
    _run(listening, host, port)


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket that is bound; nothing is loaded or compiled for a port in use."""
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
    except (OSError, OverflowError) as error:
        made.close()
        reason = getattr(error, "strerror", None) or error
        raise UserError(
            f"cannot listen on {host}:{port}: {reason}",
            key="port",
            hint="choose another --port, or 0 for any",
        ) from None
    return made


def _settle() -> None:
    """Say before solara is loaded that it fetches nothing and tells nobody."""
    os.environ["SOLARA_TELEMETRY_MIXPANEL_ENABLE"] = "False"
    # What the package solara-assets does not have must not come from elsewhere: port 9 discards.
    os.environ["SOLARA_ASSETS_CDN"] = "http://127.0.0.1:9/"
    os.environ["SOLARA_CHECK_HOOKS"] = "off"  # it warns of a line of Mesa's own
    os.environ["SOLARA_APP"] = "evosim.page.app:PAGE"
    home = Path(tempfile.gettempdir()) / f"evosim-page-{os.getuid()}"
    os.environ.setdefault("SOLARA_HOME", str(home))


def _run(listening: socket.socket, host: str, port: int) -> None:
    import uvicorn
    from solara.server import settings

    settings.main.mode = "production"
    settings.theme.show_banner = False
    settings.theme.title = "evosim"

    class Server(uvicorn.Server):  # type: ignore[misc]
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            print(f"http://{host}:{listening.getsockname()[1]}", flush=True)

    config = uvicorn.Config(
        "solara.server.starlette:app", log_level="warning", host=host, port=port
    )
    Server(config).run(sockets=[listening])
    if sys.stdout.isatty():
        print()

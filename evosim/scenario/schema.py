"""The JSON Schema of scenario files, for editors; ``python -m evosim.scenario.schema`` writes it.

A scenario file that begins with ``#:schema FILE`` gets completion and checks in editors that
know TOML schemas.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from evosim.scenario.kinds import SECTIONS, built_in_kinds
from evosim.scenario.model import ScenarioModel

#: The file in the package.
SCHEMA_FILE = Path(__file__).resolve().parent.parent / "schema" / "scenario.schema.json"
_USER_PARTS = dict(zip(SECTIONS, ("UserWorld", "UserMind", "UserScheme"), strict=True))


def schema() -> dict[str, Any]:
    """Return the JSON Schema (2020-12) of scenario files."""
    made = ScenarioModel.model_json_schema(by_alias=True)
    definitions = made["$defs"]
    for section in SECTIONS:
        # Else a grid's table would also pass as that of a user's own world called 'grid'.
        kind = definitions[_USER_PARTS[section]]["properties"]["kind"]
        kind["not"] = {"enum": list(built_in_kinds(section))}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "evosim scenario",
        **{key: value for key, value in made.items() if key != "title"},
    }


def schema_text() -> str:
    """Return the schema as the text of the file in the package."""
    return json.dumps(schema(), indent=2, ensure_ascii=True, sort_keys=True) + "\n"


def main() -> None:
    """Write the schema into the package."""
    SCHEMA_FILE.parent.mkdir(exist_ok=True)
    SCHEMA_FILE.write_text(schema_text(), encoding="utf-8")


if __name__ == "__main__":
    main()

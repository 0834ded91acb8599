"""The newsroom's data file (TOML): read as a whole, every gap named at once, nothing guessed.

membership/cli/demo_newsroom.toml is the model. Keys that are not known here are gaps too, so that a typing error never
passes for an absence. `table` takes values out, `shapes` checks them; `newsroom`, `funds` and `joining` know the nouns.
"""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from membership.cli.newsroom_file import funds, joining
from membership.cli.newsroom_file.funds import RulePart
from membership.cli.newsroom_file.newsroom import newsroom
from membership.cli.newsroom_file.table import Table
from membership.config import Settings

__all__ = ["NewsroomFile", "NewsroomFileError", "RulePart", "read"]


class NewsroomFileError(Exception):
    """What the file lacks, one sentence a gap, all of them at once."""

    def __init__(self, path: Path, gaps: Sequence[str]) -> None:
        super().__init__(f"{path} is not complete:\n" + "\n".join(f"  - {gap}" for gap in gaps))
        self.gaps = list(gaps)


@dataclass(frozen=True, slots=True)
class NewsroomFile:
    """A whole file: the arguments of `describe` for each noun, by slug. The files of perks are still where they were."""

    newsroom: dict[str, Any]
    outlets: dict[str, dict[str, Any]]
    fundraisers: dict[str, dict[str, Any]]
    rules: dict[str, RulePart]
    perks: dict[str, dict[str, Any]]
    codes: dict[str, list[str]]
    plans: dict[str, dict[str, Any]]
    drives: dict[str, dict[str, Any]]


def read(path: Path, settings: Settings) -> NewsroomFile:
    """Read and check everything; raises NewsroomFileError with every gap."""
    gaps: list[str] = []
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise NewsroomFileError(path, [f"the file cannot be read: {error.strerror}"]) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise NewsroomFileError(path, [f"the file is not TOML: {error}"]) from None
    top = Table(data, "", gaps, settings)
    whole = _whole(top, path.parent)
    top.leftovers()
    if gaps:
        raise NewsroomFileError(path, gaps)
    return whole


def _whole(top: Table, folder: Path) -> NewsroomFile:
    outlets = dict(funds.outlet(one) for one in top.tables("outlet"))
    raised = [funds.fundraiser(one, outlets) for one in top.tables("fundraiser")]
    perks = [joining.perk(one, at, folder) for at, one in enumerate(top.tables("perk"), 1)]
    known = {slug for slug, _, _ in perks}
    return NewsroomFile(
        newsroom=newsroom(top.table("newsroom")),
        outlets=outlets,
        fundraisers={slug: described for slug, described, _ in raised},
        rules={slug: rule for slug, _, rule in raised},
        perks={slug: described for slug, described, _ in perks},
        codes={slug: codes for slug, _, codes in perks},
        plans=dict(joining.plan(one, at, known) for at, one in enumerate(top.tables("plan"), 1)),
        drives=dict(joining.drive(one) for one in top.tables("drive")),
    )

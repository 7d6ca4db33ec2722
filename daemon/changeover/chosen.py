"""Which recipe each station was told to run: it outlives the daemon.

Who spoke last is heard. A choice holds until the settings name another recipe, or the recipe's
folder another active version, than when it was made.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import Field

from daemon import log
from models import recipe_store as store
from models.errors import InputError
from models.records import Record

FILE = "recipes.json"


class Choice(Record):
    settings: str  # the station's recipe in the settings when it was made; empty: none
    recipe: str  # folder
    version: int
    active: int | None  # version that was active in the folder
    who: str
    time_ns: int  # Unix epoch


class Choices(Record):
    format: Literal[1] = 1
    stations: dict[str, Choice] = Field(default={})


@dataclass(frozen=True)
class Wanted:
    """A recipe that a station is to run."""

    folder: Path
    version: int | None = None  # None: the active one


class Chosen:
    """The choices in a state folder. ``choose`` is called in one thread."""

    def __init__(self, folder: Path) -> None:
        """Read them; raises ``InputError`` if they are damaged."""
        self._path = folder / FILE
        self._choices = Choices()
        if self._path.exists():
            try:
                self._choices = Choices.read(self._path)
            except InputError as error:
                raise InputError(
                    f"{error}; remove the file to start with the recipes that the settings name"
                ) from error

    def wanted(self, station: str, settings: str) -> Wanted | None:
        """Give what a station runs, its ``settings`` naming this recipe; None: no recipe.

        Raises ``InputError`` if what was chosen is not there any more.
        """
        choice = self._choices.stations.get(station)
        named = Wanted(Path(settings)) if settings else None
        if choice is None:
            return named
        logger = log.get("effad").bind(
            station=station, chosen=choice.recipe, version=choice.version, by=choice.who
        )
        if choice.settings != settings:
            logger.warning("the settings name another recipe since: theirs is taken", now=settings)
            return named
        folder = Path(choice.recipe)
        if choice.version not in store.versions(folder):
            raise InputError(
                f"station {station}: {choice.who} activated version {choice.version} of"
                f" {folder}, and it is not there any more; put it back, or remove {self._path} to"
                " start with the recipe that the settings name"
            )
        active = store.active(folder)
        if active != choice.active:
            logger.warning("another version was made active since: it is taken", now=active)
            return Wanted(folder)
        logger.info("the station goes on with the recipe that was activated")
        return Wanted(folder, choice.version)

    def choose(self, station: str, choice: Choice) -> None:
        """Keep a choice for the starts to come; raises ``InputError`` if that cannot be."""
        choices = Choices(stations={**self._choices.stations, station: choice})
        try:
            choices.write(self._path)
        except OSError as error:
            raise InputError(
                f"{self._path}: cannot keep which recipe runs ({error.strerror}); free some space"
            ) from error
        self._choices = choices

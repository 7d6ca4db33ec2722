"""The settings of recipes."""

from pydantic import Field

from daemon.settings.station import Table, allowed


class RecipesSettings(Table):
    """Where recipes are found that a station is told to change to."""

    folder: str = Field(
        default="",
        pattern=r"^([^~].*)?$",
        max_length=4096,
        description="Folder of recipe folders, in which ActivateRecipe finds a recipe by its name"
        " or number; a relative path starts at the settings file. Empty: the folder that the"
        " station's recipe lies in.",
        json_schema_extra=allowed("a path in quotes (~ is not replaced), or empty"),
    )

"""Migrations as files: ordered SQL, applied once and never edited afterwards, whatever the database."""

import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from lambda_src.explained import Explained

FILE_NAME = re.compile(r"(?P<version>\d{4})_[a-z0-9_]+\.sql")


class MigrationFailed(Explained):
    """A migration can't be applied; the message names its file, the line where there is one, and the reason."""

    heading = "migrations"


class Migration(NamedTuple):
    """One file: its version (the four digits its name begins with), its name and its text."""

    version: str
    file: str
    text: str

    @property
    def sha256(self) -> str:
        """The checksum of the text, in hexadecimal."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def read(directory: Path) -> list[Migration]:
    """The migrations in a folder, in order; MigrationFailed names a file that is misnamed or a version used twice."""
    migrations: dict[str, Migration] = {}
    for path in sorted(directory.glob("*.sql")):
        match = FILE_NAME.fullmatch(path.name)
        if match is None:
            raise MigrationFailed(f"{path.name}: a name such as 0002_add_color.sql is needed")
        migration = Migration(match["version"], path.name, path.read_text())
        if twin := migrations.get(migration.version):
            raise MigrationFailed(f"{twin.file} and {path.name} have the same version: renumber one of them")
        migrations[migration.version] = migration
    return list(migrations.values())


def refuse_an_edited_past(migrations: Iterable[Migration], applied: Mapping[str, str]) -> None:
    """Raise MigrationFailed where a file is no longer what was applied: `applied` is version to checksum."""
    edited = [
        migration.file
        for migration in migrations
        if applied.get(migration.version, migration.sha256) != migration.sha256
    ]
    if edited:
        raise MigrationFailed(
            f"{', '.join(edited)}: edited after it was applied; restore it, and put the change into a new file"
        )

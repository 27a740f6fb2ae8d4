"""Where models live and what their checksums are; what ``khabar models list|verify|pull`` do.

A *bundle* is one of our own models: a directory with ``card.json``, which names every file with its sha256. A *Stanza
directory* has ``resources.json`` (:mod:`worker.nlp.stanza_directory`). Importing this imports nothing heavy.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from msgspec import Struct, structs

from worker.errors import ModelError
from worker.nlp import stanza_directory
from worker.nlp.pull import pull
from worker.records import Model
from worker.settings import Settings

__all__ = ["Check", "ModelRow", "bundle_record", "directory_of", "is_bundle", "listing", "pull", "verify", "verify_bundle"]

BUNDLED = Path(__file__).parents[1] / "bundled" / "models"
BUNDLES = ("accurate", "fast")
CARD = "card.json"


class ModelRow(Struct, frozen=True):
    """One model that is there.

    Args:
        name: as it stands in the provenance of articles.
        where: ``bundled``, ``pulled`` or ``directory``.
        path: its directory.
        languages: ISO 639 codes it serves.
        version: its version.
        bytes: size of its files in all.
        sha256: over its files; of what is recorded where something is, else of what is there.
        figures: as its card states them; empty for Stanza's models, whose figures its makers publish.
        used: whether ``KHABAR_MODELS`` names it.
    """

    name: str
    where: str
    path: Path
    languages: list[str]
    version: str
    bytes: int
    sha256: str
    figures: dict[str, Any]
    used: bool


class Check(Struct, frozen=True):
    """One file's checksum: ``problem`` is empty when it is right."""

    path: Path
    problem: str


def directory_of(settings: Settings) -> Path:
    """The directory that ``KHABAR_MODELS`` means.

    Raises:
        ModelError: there is no such directory, or it holds no models.
    """
    name = settings.models
    directory = BUNDLED / name if name in BUNDLES else settings.model_dir if name == "official" else _expanded(name)
    if is_bundle(directory) or (name not in BUNDLES and (directory / stanza_directory.RESOURCES).is_file()):
        return directory
    if name in BUNDLES:
        others = [other for other in BUNDLES if is_bundle(BUNDLED / other)]
        advice = f"set KHABAR_MODELS={others[0]}, or make it" if others else "make it"
        message = f"{directory}: the bundled model {name!r} is not there: {advice} with `khabar models train`"
    elif name == "official":
        message = f"{directory}: no Stanza models there: fetch them with `khabar models pull ar fa en`, or set KHABAR_MODEL_DIR"
    elif directory.is_dir():
        message = f"{directory}: neither resources.json nor card.json there: KHABAR_MODELS must name a directory of models"
    else:
        message = f"KHABAR_MODELS={name!r}: choose accurate, fast, official or a directory of models that exists"
    raise ModelError(message)


def _expanded(name: str) -> Path:
    """The directory that a person named.

    Raises:
        ModelError: no file system takes the name.
    """
    try:
        directory = Path(name).expanduser()
        directory.is_dir()  # a name that is too long shows here
    except (OSError, RuntimeError) as error:
        message = f"KHABAR_MODELS={name[:200]!r}: {getattr(error, 'strerror', None) or error}"
        raise ModelError(message) from error
    return directory


def is_bundle(directory: Path) -> bool:
    """Whether it holds one of our own models."""
    return (directory / CARD).is_file()


def read_card(directory: Path) -> dict[str, Any]:
    """A bundle's card.

    Raises:
        ModelError: it cannot be read, or says too little.
    """
    try:
        card = json.loads((directory / CARD).read_bytes())
        complete = (
            isinstance(card["name"], str)
            and {str(language) for language in card["languages"]} == set(card["languages"])
            and card["files"]
            and all(len(entry["sha256"]) == hashlib.sha256().digest_size * 2 for entry in card["files"].values())
            and all(map(stanza_directory.plain_name, card["files"]))
        )
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        message = f"{directory / CARD}: cannot be read: {type(error).__name__}: {error}"
        raise ModelError(message) from error
    if not complete:
        message = f"{directory / CARD}: incomplete: name, languages and the sha256 of every file must stand there"
        raise ModelError(message)
    return dict(card)


def verify_bundle(directory: Path) -> dict[str, Any]:
    """The card of a bundle all of whose files match it.

    Raises:
        ModelError: a file is absent or differs.
    """
    card = read_card(directory)
    for name, entry in card["files"].items():
        problem = stanza_directory.sha256_problem(directory / name, entry["sha256"])
        if problem:
            message = f"{directory / name}: {problem}: install khabar again, or train the model again"
            raise ModelError(message)
    return card


def bundle_record(card: Mapping[str, Any]) -> Model:
    """What a bundle leaves in the provenance of every article."""
    digest = stanza_directory.combined_sha256({name: entry["sha256"] for name, entry in card["files"].items()})
    return Model(stage="entities", name=card["name"], version=str(card.get("version", "")), sha256=digest)


def listing(settings: Settings) -> list[ModelRow]:
    """Every model at hand: bundled, pulled, and in the directory that ``KHABAR_MODELS`` names.

    Raises:
        ModelError: a directory that is there cannot be understood.
    """
    rows = [_bundle_row(BUNDLED / name, "bundled", used=settings.models == name) for name in BUNDLES if is_bundle(BUNDLED / name)]
    if (settings.model_dir / stanza_directory.RESOURCES).is_file():
        rows += _stanza_rows(settings.model_dir, "pulled", used=settings.models == "official")
    if settings.models not in (*BUNDLES, "official"):
        directory = directory_of(settings)
        if is_bundle(directory):
            rows.append(_bundle_row(directory, "directory", used=True))
        elif directory.resolve() != settings.model_dir.resolve():
            rows += _stanza_rows(directory, "directory", used=True)
        else:
            rows = [structs.replace(row, used=row.used or row.where == "pulled") for row in rows]
    return rows


def verify(settings: Settings) -> Iterator[Check]:
    """Compare every file of every model at hand with its checksum, one by one.

    A file without any recorded checksum has nothing to differ from; it is reported as right when it is there.

    Raises:
        ModelError: a directory that is there cannot be understood.
    """
    directories = [row.path for row in listing(settings)]
    if (settings.model_dir / stanza_directory.RESOURCES).is_file():  # a lost file may leave no language to list
        directories.append(settings.model_dir)
    for directory in dict.fromkeys(directories):
        if is_bundle(directory):
            for name, entry in read_card(directory)["files"].items():
                yield Check(directory / name, stanza_directory.sha256_problem(directory / name, entry["sha256"]))
        else:
            found = {packages.language: packages for packages in stanza_directory.present(directory).values()}
            for packages in found.values():
                for file in packages.files:
                    yield Check(directory / file, stanza_directory.file_problem(directory, packages, file))
            for language, path in stanza_directory.missing(directory):
                yield Check(path, f"missing: {language} is not used")


def _bundle_row(directory: Path, where: str, *, used: bool) -> ModelRow:
    """A bundle as its card describes it."""
    card = read_card(directory)
    record = bundle_record(card)
    size = sum((directory / name).stat().st_size for name in card["files"] if (directory / name).is_file())
    return ModelRow(
        name=record.name,
        where=where,
        path=directory,
        languages=list(card["languages"]),
        version=record.version,
        bytes=size,
        sha256=record.sha256,
        figures=dict(card.get("figures", {})),
        used=used,
    )


def _digest(directory: Path, packages: stanza_directory.StanzaPackages) -> str:
    """The sha256 of a language's files; `verify` says which of them cannot be read."""
    try:
        return stanza_directory.digest(directory, packages)
    except OSError:
        return "unreadable"


def _stanza_rows(directory: Path, where: str, *, used: bool) -> list[ModelRow]:
    """One row a language of a Stanza directory; its aliases are further languages of the same row."""
    rows: dict[str, ModelRow] = {}
    versions = stanza_directory.read_pulled(directory).versions
    for code, packages in stanza_directory.present(directory).items():
        language = packages.language
        if language in rows:
            rows[language].languages.append(code)
            continue
        rows[language] = ModelRow(
            name=stanza_directory.model_name(packages),
            where=where,
            path=directory,
            languages=[code],
            version=versions.get(language, stanza_directory.UNVERSIONED),
            bytes=sum((directory / file).stat().st_size for file in packages.files),
            sha256=_digest(directory, packages),
            figures={},
            used=used,
        )
    return list(rows.values())

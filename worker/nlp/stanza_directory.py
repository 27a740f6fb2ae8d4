"""What a directory of Stanza models holds, read without importing stanza.

``resources.json`` lists per language the packages of each processor, an MD5 a file, and which package is the default;
models stand in ``{language}/{processor}/{package}.pt``. ``khabar models pull`` leaves ``pulled.json`` beside it with the
sha256 of every file it fetched. Source: ``stanza.resources.common`` (Stanza 1.15).
"""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from worker.errors import ModelError
from worker.records import Model

RESOURCES = "resources.json"
PULLED = "pulled.json"
PROCESSORS = ("tokenize", "ner")

UNVERSIONED = "own"
"""Version of models that were not pulled: their sha256 alone tells them apart."""

_MD5_DIGITS = 32


class StanzaPackages(Struct, frozen=True):
    """What Stanza loads for a language's ``tokenize,ner``.

    Args:
        language: Stanza's own code, aliases followed.
        packages: processor to package, as ``tokenize``, ``ner`` and where the tokenizer wants it ``mwt``.
        md5: every file, relative to the directory, with the MD5 that Stanza states ("" where it states none).
    """

    language: str
    packages: dict[str, str]
    md5: dict[str, str]

    @property
    def files(self) -> list[str]:
        """Every file, relative to the directory, in a fixed order."""
        return sorted(self.md5)


class Pulled(Struct, frozen=True):
    """What ``pulled.json`` records.

    Args:
        versions: language to the version of Stanza's resources it came from.
        sha256: every fetched file, relative to the directory.
    """

    versions: dict[str, str] = {}
    sha256: dict[str, str] = {}


def read_resources(directory: Path) -> dict[str, Any]:
    """Stanza's listing.

    Raises:
        ModelError: it is not there or no JSON object.
    """
    try:
        resources = json.loads((directory / RESOURCES).read_bytes())
    except (OSError, ValueError) as error:
        message = f"{directory / RESOURCES}: cannot be read: {error}"
        raise ModelError(message) from error
    if not isinstance(resources, dict):
        message = f"{directory / RESOURCES}: not Stanza's list of models"
        raise ModelError(message)
    return resources


def read_pulled(directory: Path) -> Pulled:
    """What was recorded when the models were pulled; empty where they were not.

    Raises:
        ModelError: the record is damaged.
    """
    try:
        return msgspec.json.decode((directory / PULLED).read_bytes(), type=Pulled)
    except FileNotFoundError:
        return Pulled()
    except (OSError, msgspec.DecodeError) as error:
        message = f"{directory / PULLED}: cannot be read: {error}; pull the models again"
        raise ModelError(message) from error


def wanted(resources: Mapping[str, Any], language: str) -> StanzaPackages | None:
    """What Stanza would load by default for a language, or nothing when it has no tokenizer or no tagger for it.

    Raises:
        ModelError: the listing is not in Stanza's form.
    """
    try:
        return _wanted(resources, language)
    except (TypeError, AttributeError, KeyError) as error:
        message = f"{RESOURCES}: not Stanza's list of models: {type(error).__name__} at {language!r}"
        raise ModelError(message) from error


def _wanted(resources: Mapping[str, Any], language: str) -> StanzaPackages | None:
    entry = resources.get(language)
    seen = {language}
    while isinstance(entry, dict) and "alias" in entry and entry["alias"] not in seen:
        language = entry["alias"]
        seen.add(language)
        entry = resources.get(language)
    if not isinstance(entry, dict):
        return None
    default = entry.get("packages", {}).get("default", {})
    chosen = {name: default.get(name) or default.get("optional", {}).get(name) for name in (*PROCESSORS, "mwt")}
    if any(not isinstance(chosen[name], str) for name in PROCESSORS):
        return None
    md5: dict[str, str] = {}
    for processor, package in chosen.items():
        if package:
            _add(md5, entry, language, processor, package)
    return StanzaPackages(language, {name: package for name, package in chosen.items() if package}, md5)


def _add(md5: dict[str, str], entry: Mapping[str, Any], language: str, processor: str, package: str) -> None:
    """Add a package's file and those of what it depends on: word vectors, character models."""
    if not all(map(plain_name, (language, processor, package))):
        message = f"{RESOURCES}: {language}/{processor}/{package} is no plain name"  # never outside the directory
        raise ModelError(message)
    file = _file(language, processor, package)
    if file in md5:
        return  # known already, were it by way of itself
    described = entry.get(processor, {}).get(package, {})
    md5[file] = str(described.get("md5", ""))
    for dependency in described.get("dependencies", ()):
        _add(md5, entry, language, dependency["model"], dependency["package"])


def _file(language: str, processor: str, package: str) -> str:
    """Where a package lies, relative to the directory."""
    return f"{language}/{processor}/{package}.pt"


def present(directory: Path) -> dict[str, StanzaPackages]:
    """Every language code, aliases too, whose files are all there.

    Raises:
        ModelError: the directory's listing cannot be read.
    """
    return {code: packages for code, packages in _listed(directory).items() if not _absent(directory, packages)}


def missing(directory: Path) -> list[tuple[str, Path]]:
    """(language, file) of every file that a language lacks that was pulled, or has its tagger: the language is not used.

    Raises:
        ModelError: the directory's listing cannot be read.
    """
    pulled = read_pulled(directory).versions
    by_language = {packages.language: packages for packages in _listed(directory).values()}  # without aliases
    return [
        (language, file)
        for language, packages in by_language.items()
        if language in pulled or (directory / _file(language, "ner", packages.packages["ner"])).is_file()
        for file in _absent(directory, packages)
    ]


def _listed(directory: Path) -> dict[str, StanzaPackages]:
    """Every language code, aliases too, that Stanza has a tokenizer and a tagger for."""
    resources = read_resources(directory)
    return {code: packages for code in resources if (packages := wanted(resources, code))}


def _absent(directory: Path, packages: StanzaPackages) -> list[Path]:
    """Files of a language that are not there."""
    return [directory / file for file in packages.files if not (directory / file).is_file()]


def plain_name(part: str) -> bool:
    """Whether it names something in a directory and nothing outside it."""
    return part not in {"", ".", ".."} and "/" not in part


def sha256_of(file: Path) -> str:
    """Hex sha256 of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def combined_sha256(files: Mapping[str, str]) -> str:
    """One sha256 over several files: of the lines ``sha256sum`` prints for them, sorted by name."""
    lines = "".join(f"{sha256}  {name}\n" for name, sha256 in sorted(files.items()))
    return hashlib.sha256(lines.encode()).hexdigest()


def sha256_problem(file: Path, expected: str) -> str:
    """What is wrong with a file, in a few words; empty when its sha256 is the one expected."""
    try:
        found = sha256_of(file)
    except FileNotFoundError:
        return "missing"
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return "" if found == expected else f"sha256 is {found[:12]}…, expected {expected[:12]}…"


def file_problem(directory: Path, packages: StanzaPackages, file: str) -> str:
    """What is wrong with one file of a package; empty when it is right or nothing is recorded to compare it with.

    The sha256 recorded by ``khabar models pull`` counts for a language that it fetched; for others the MD5 that the
    directory's own listing states.
    """
    pulled = read_pulled(directory)
    if packages.language in pulled.versions:
        recorded = pulled.sha256.get(file)
        return sha256_problem(directory / file, recorded) if recorded else f"not recorded in {PULLED}"
    md5 = packages.md5[file]
    if len(md5) != _MD5_DIGITS:
        return "" if (directory / file).is_file() else "missing"
    try:
        found = hashlib.md5((directory / file).read_bytes(), usedforsecurity=False).hexdigest()
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return "" if found == md5 else f"MD5 is {found[:12]}…, expected {md5[:12]}… (resources.json)"


def records(directory: Path, present_packages: Mapping[str, StanzaPackages]) -> dict[str, Model]:
    """What each language of Stanza's leaves in the provenance of articles, all its files verified.

    Raises:
        ModelError: a file is missing or differs.
    """
    versions = read_pulled(directory).versions
    found: dict[str, Model] = {}
    for packages in present_packages.values():
        language = packages.language
        if language not in found:
            sha256 = verify_packages(directory, packages)
            version = versions.get(language, UNVERSIONED)
            found[language] = Model(stage="entities", name=model_name(packages), version=version, sha256=sha256)
    return found


def verify_packages(directory: Path, packages: StanzaPackages) -> str:
    """The combined sha256 of a language's files, all of them right.

    Raises:
        ModelError: a file is missing or differs.
    """
    for file in packages.files:
        problem = file_problem(directory, packages, file)
        if problem:
            message = f"{directory / file}: {problem}: fetch it again with `khabar models pull {packages.language}`"
            raise ModelError(message)
    return digest(directory, packages)


def model_name(packages: StanzaPackages) -> str:
    """The name of a language's models in provenance and lists."""
    return f"stanza-{packages.language}-{packages.packages['ner']}"


def digest(directory: Path, packages: StanzaPackages) -> str:
    """The combined sha256 of a language's files as they are."""
    return combined_sha256({file: sha256_of(directory / file) for file in packages.files})

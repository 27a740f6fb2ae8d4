"""Fetch Stanza's own packages, whole or not at all.

Everything is downloaded into a hidden folder of the target directory, checked, and only then renamed into place, so that
an interrupted pull leaves nothing that could be taken for a model.
"""

import errno
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import msgspec
from msgspec import Struct

from worker.errors import ModelError, one_line
from worker.nlp.stanza_directory import (
    PULLED,
    RESOURCES,
    Pulled,
    StanzaPackages,
    combined_sha256,
    read_pulled,
    read_resources,
    sha256_of,
    wanted,
)

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class PulledLanguage(Struct, frozen=True):
    """A language whose models have been fetched and recorded.

    Args:
        language: Stanza's code.
        packages: processor to package.
        bytes: size in all.
        sha256: over all its files.
        seconds: how long it took.
    """

    language: str
    packages: dict[str, str]
    bytes: int
    sha256: str
    seconds: float


class _Source(Struct, frozen=True):
    """Where a download stands: its hidden folder, Stanza's listing and the version of that listing."""

    staging: Path
    resources: dict[str, Any]
    version: str


def pull(
    languages: Sequence[str], *, directory: Path, resources_url: str | None = None, show_progress: bool = False
) -> Iterator[PulledLanguage]:
    """Fetch the default tokenizer and tagger of each language; yields each as soon as it is in place.

    Args:
        languages: Stanza's codes (``ar fa en zh …``).
        directory: ``KHABAR_MODEL_DIR``; made when it is not there.
        resources_url: where ``resources_{version}.json`` is; Stanza's own (or ``STANZA_RESOURCES_URL``) without one.
        show_progress: let Stanza show a bar for each file.

    Raises:
        ModelError: the network, the server, a checksum or the disk; languages yielded before stay.
    """
    try:
        directory.mkdir(parents=True, exist_ok=True)
        staging = Path(tempfile.mkdtemp(prefix=".pull-", dir=directory))
    except OSError as error:
        message = f"{directory}: cannot write there: {error.strerror}"
        raise ModelError(message) from error
    try:
        source = _fetch_listing(staging, resources_url, show_progress=show_progress)
        chosen = [_choose(source.resources, language) for language in languages]
        for packages in chosen:
            began = time.monotonic()
            _fetch(staging, packages, show_progress=show_progress)
            sha256 = {file: sha256_of(staging / file) for file in packages.files}
            size = sum((staging / file).stat().st_size for file in packages.files)
            _install(source, directory, packages, sha256)
            seconds = time.monotonic() - began
            yield PulledLanguage(packages.language, packages.packages, size, combined_sha256(sha256), seconds)
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _choose(resources: dict[str, Any], language: str) -> StanzaPackages:
    """What to fetch for a language."""
    packages = wanted(resources, language)
    if packages is None:
        known = sorted(code for code in resources if wanted(resources, code))
        message = f"Stanza has no entity model for {language!r}; it has them for {' '.join(known) or 'none'}"
        raise ModelError(message)
    return packages


def _fetch_listing(staging: Path, resources_url: str | None, *, show_progress: bool) -> _Source:
    """Stanza's listing."""
    from stanza.resources import common

    url = resources_url or common.DEFAULT_RESOURCES_URL
    try:
        with common.logging_level_context("INFO" if show_progress else "ERROR", None):
            common.download_resources_json(str(staging), resources_url=url.rstrip("/"))
    except Exception as error:
        raise _failed("Stanza's list of models at " + url, error) from error
    return _Source(staging, read_resources(staging), str(common.DEFAULT_RESOURCES_VERSION))


def _fetch(staging: Path, packages: StanzaPackages, *, show_progress: bool) -> None:
    """Download a language's files into the staging folder; Stanza compares each with its MD5."""
    import stanza

    try:
        stanza.download(
            packages.language,
            model_dir=str(staging),
            processors="tokenize,ner",
            download_json=False,
            logging_level="INFO" if show_progress else "ERROR",
        )
    except Exception as error:
        raise _failed("Stanza's models for " + packages.language, error) from error
    missing = [file for file in packages.files if not (staging / file).is_file()]
    if missing:
        message = f"Stanza's models for {packages.language}: {missing[0]} was not fetched"
        raise ModelError(message)


def _failed(what: str, error: Exception) -> ModelError:
    """One line about a download that broke."""
    number = error.errno if isinstance(error, OSError) else None
    if number in _FULL:
        return ModelError(f"{what}: no room on the disk ({os.strerror(number or 0)}); nothing was installed")
    if isinstance(error, ValueError) and "md5" in str(error):
        return ModelError(f"{what}: the download is damaged, its checksum differs; nothing was installed; try again")
    return ModelError(f"{what}: cannot be fetched: {one_line(error)[:300]}; nothing was installed")


def _install(source: _Source, directory: Path, packages: StanzaPackages, sha256: dict[str, str]) -> None:
    """Rename a checked language into place and record its checksums, the record last.

    Where this is cut short, files and record differ, and loading says so.
    """
    staging, language = source.staging, packages.language
    before = read_pulled(directory)
    kept = {file: digest for file, digest in before.sha256.items() if not file.startswith(f"{language}/")}
    record = Pulled(versions={**before.versions, language: source.version}, sha256={**kept, **sha256})
    listing = read_resources(directory) if (directory / RESOURCES).is_file() else {}
    entries = source.resources.items()
    aliases = {code: entry for code, entry in entries if isinstance(entry, dict) and entry.get("alias") == language}
    listing.update({**aliases, language: source.resources[language]})
    try:
        new_listing, new_record = staging / f"{RESOURCES}.new", staging / f"{PULLED}.new"
        new_listing.write_text(json.dumps(listing, ensure_ascii=False, indent=1), encoding="utf-8")
        new_record.write_bytes(msgspec.json.encode(record))
        for file in packages.files:  # one by one: other packages of the language stay where they are
            (directory / file).parent.mkdir(parents=True, exist_ok=True)
            (staging / file).replace(directory / file)
        new_listing.replace(directory / RESOURCES)
        new_record.replace(directory / PULLED)
    except OSError as error:
        raise _failed("Stanza's models for " + language, error) from error

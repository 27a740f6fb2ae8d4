"""Where models live, what is there, and whether it is sound: directories built by hand, no model is loaded."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from worker.errors import ModelError
from worker.nlp import models, stanza_directory
from worker.settings import Settings


def settings(tmp_path: Path, **values: Any) -> Settings:  # noqa: ANN401 - any setting
    """Settings whose Stanza directory is a folder of the test."""
    return Settings(**{"model_dir": tmp_path / "stanza", **values})


def write_bundle(directory: Path, files: dict[str, bytes], **more: Any) -> Path:  # noqa: ANN401 - any member of a card
    """A bundle with these files and a right card."""
    directory.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (directory / name).write_bytes(content)
    entries = {name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()} for name, content in files.items()}
    card = {"name": "khabar-small", "version": "3", "languages": ["ar", "fa"], "files": entries, **more}
    (directory / "card.json").write_text(json.dumps(card), encoding="utf-8")
    return directory


def write_stanza(directory: Path, files: dict[str, bytes], resources: dict[str, Any]) -> Path:
    """A Stanza directory with these files and this listing."""
    for name, content in files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_bytes(content)
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "resources.json").write_text(json.dumps(resources), encoding="utf-8")
    return directory


def listing_of(md5: str = "") -> dict[str, Any]:
    """Stanza's listing of one language with a tokenizer and a tagger, an alias, and one without a tagger."""
    return {
        "url": "http://localhost/{lang}/{filename}",
        "ar": {
            "lang_name": "Arabic",
            "tokenize": {"news": {"md5": md5}},
            "ner": {"news": {"md5": md5, "dependencies": [{"model": "pretrain", "package": "words"}]}},
            "pretrain": {"words": {"md5": md5}},
            "packages": {"default": {"tokenize": "news", "ner": "news"}},
        },
        "arabic": {"alias": "ar"},
        "xx": {"tokenize": {"news": {}}, "packages": {"default": {"tokenize": "news"}}},
    }


AR_FILES = {"ar/tokenize/news.pt": b"one", "ar/ner/news.pt": b"two", "ar/pretrain/words.pt": b"three"}


def one_line(raised: pytest.ExceptionInfo[ModelError]) -> str:
    """The error's text, which is one line."""
    text = str(raised.value)
    assert text
    assert "\n" not in text
    return text


def test_bundled_names_mean_the_bundled_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """`fast` is the bundle of that name."""
    monkeypatch.setattr(models, "BUNDLED", tmp_path / "bundled")
    write_bundle(tmp_path / "bundled" / "fast", {"model.onnx": b"x"})
    assert models.directory_of(settings(tmp_path, models="fast")) == tmp_path / "bundled" / "fast"


def test_an_absent_bundle_is_one_line_that_names_the_one_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without `accurate` the advice is to take `fast`."""
    monkeypatch.setattr(models, "BUNDLED", tmp_path / "bundled")
    write_bundle(tmp_path / "bundled" / "fast", {"model.onnx": b"x"})
    with pytest.raises(ModelError) as raised:
        models.directory_of(settings(tmp_path, models="accurate"))
    assert "KHABAR_MODELS=fast" in one_line(raised)


@pytest.mark.parametrize(
    ("name", "advice"),
    [
        ("official", "khabar models pull"),
        ("acurate", "choose accurate, fast, official or a directory"),
        ("/nonexistent/models", "choose accurate, fast, official or a directory"),
    ],
)
def test_what_is_not_there_says_what_to_do(tmp_path: Path, name: str, advice: str) -> None:
    """An empty Stanza directory and a misspelt name are one line with advice."""
    with pytest.raises(ModelError) as raised:
        models.directory_of(settings(tmp_path, models=name))
    assert advice in one_line(raised)


def test_a_directory_without_models_is_refused(tmp_path: Path) -> None:
    """A directory that exists but holds no models is told apart from one that does not exist."""
    with pytest.raises(ModelError) as raised:
        models.directory_of(settings(tmp_path, models=str(tmp_path)))
    assert "neither resources.json nor card.json" in one_line(raised)


def test_a_right_bundle_verifies_and_its_record_can_be_computed_in_a_shell(tmp_path: Path) -> None:
    """The recorded sha256 is that of sha256sum's own lines, sorted by name."""
    directory = write_bundle(tmp_path / "m", {"model.onnx": b"network", "embeddings.npz": b"words"})
    record = models.bundle_record(models.verify_bundle(directory))
    shell = "LC_ALL=C; sha256sum embeddings.npz model.onnx | sha256sum"
    printed = subprocess.run(["sh", "-c", shell], cwd=directory, capture_output=True, text=True, check=True).stdout
    assert record.sha256 == printed.split()[0]
    assert (record.stage, record.name, record.version) == ("entities", "khabar-small", "3")


@pytest.mark.parametrize(("content", "problem"), [(b"networc", "sha256 is"), (None, "missing")])
def test_a_changed_or_missing_file_is_refused(tmp_path: Path, content: bytes | None, problem: str) -> None:
    """One byte is enough."""
    directory = write_bundle(tmp_path / "m", {"model.onnx": b"network"})
    if content is None:
        (directory / "model.onnx").unlink()
    else:
        (directory / "model.onnx").write_bytes(content)
    with pytest.raises(ModelError) as raised:
        models.verify_bundle(directory)
    assert problem in one_line(raised)


@pytest.mark.parametrize(
    "card",
    [
        b"",
        b"[]",
        b'{"name": "x"}',
        b'{"name": "x", "languages": ["ar"], "files": {}}',
        b'{"name": "x", "languages": ["ar"], "files": {"model.onnx": {"sha256": "12"}}}',
        b'{"name": "x", "languages": ["ar"], "files": {"../model.onnx": {"sha256": "%064d"}}}' % 0,
        b'{"name": "x", "languages": [1], "files": {"model.onnx": {"sha256": "%064d"}}}' % 0,
        b"\xff",
    ],
)
def test_a_damaged_card_is_refused(tmp_path: Path, card: bytes) -> None:
    """No card, no checksums, no model; a card never points out of its directory."""
    (tmp_path / "card.json").write_bytes(card)
    with pytest.raises(ModelError) as raised:
        models.verify_bundle(tmp_path)
    assert "card.json" in one_line(raised)


def test_stanza_defaults_are_resolved_with_what_they_depend_on() -> None:
    """An alias leads to its language, and word vectors belong to the tagger."""
    packages = stanza_directory.wanted(listing_of(), "arabic")
    assert packages is not None
    assert packages.language == "ar"
    assert packages.files == sorted(AR_FILES)


def test_a_tokenizer_that_splits_words_brings_mwt() -> None:
    """Where the default package has `mwt`, Stanza loads it too."""
    resources = listing_of()
    resources["ar"]["packages"]["default"]["mwt"] = "news"
    packages = stanza_directory.wanted(resources, "ar")
    assert packages is not None
    assert "ar/mwt/news.pt" in packages.files


def test_a_tagger_may_be_optional() -> None:
    """Some languages have their tagger among the optional processors."""
    resources = listing_of()
    default = resources["ar"]["packages"]["default"]
    default["optional"] = {"ner": default.pop("ner")}
    packages = stanza_directory.wanted(resources, "ar")
    assert packages is not None
    assert packages.packages["ner"] == "news"


@pytest.mark.parametrize("language", ["xx", "url", "nowhere"])
def test_a_language_without_a_tagger_is_no_language(language: str) -> None:
    """Neither a tokenizer alone nor the listing's other members count."""
    assert stanza_directory.wanted(listing_of(), language) is None


def test_aliases_in_a_circle_end() -> None:
    """Two aliases that name each other lead nowhere."""
    assert stanza_directory.wanted({"a": {"alias": "b"}, "b": {"alias": "a"}}, "a") is None


def test_dependencies_in_a_circle_end() -> None:
    """A package that depends on itself is one file."""
    resources = listing_of()
    resources["ar"]["ner"]["news"]["dependencies"] = [{"model": "ner", "package": "news"}]
    packages = stanza_directory.wanted(resources, "ar")
    assert packages is not None
    assert sorted(packages.md5) == ["ar/ner/news.pt", "ar/tokenize/news.pt"]


@pytest.mark.parametrize("evil", ["../../ner", "/etc/x", "a/b", ".."])
def test_names_never_lead_out_of_the_directory(evil: str) -> None:
    """A listing from the network cannot name files elsewhere."""
    resources = listing_of()
    resources["ar"]["packages"]["default"]["ner"] = evil
    with pytest.raises(ModelError) as raised:
        stanza_directory.wanted(resources, "ar")
    assert "no plain name" in one_line(raised)


def test_a_listing_in_another_form_is_refused() -> None:
    """Lists where objects should be are one clear line."""
    with pytest.raises(ModelError) as raised:
        stanza_directory.wanted({"ar": {"packages": []}}, "ar")
    assert "not Stanza's list of models" in one_line(raised)


@pytest.mark.parametrize("content", [b"{", b"[]", b"\xff"])
def test_a_damaged_listing_is_refused(tmp_path: Path, content: bytes) -> None:
    """resources.json must be a JSON object."""
    (tmp_path / "resources.json").write_bytes(content)
    with pytest.raises(ModelError) as raised:
        stanza_directory.present(tmp_path)
    assert "resources.json" in one_line(raised)


def test_only_languages_with_all_their_files_are_present(tmp_path: Path) -> None:
    """A tagger without its word vectors would load and output garbage: it is not there."""
    directory = write_stanza(tmp_path, AR_FILES, listing_of())
    assert set(stanza_directory.present(directory)) == {"ar", "arabic"}
    (directory / "ar/pretrain/words.pt").unlink()
    assert stanza_directory.present(directory) == {}


def test_the_listings_md5_counts_where_it_is_one(tmp_path: Path) -> None:
    """A directory of one's own is compared with its own listing; a placeholder there is no checksum."""
    loose = write_stanza(tmp_path / "loose", AR_FILES, listing_of("…"))
    packages = stanza_directory.present(loose)["ar"]
    assert stanza_directory.file_problem(loose, packages, "ar/ner/news.pt") == ""
    strict = write_stanza(tmp_path / "strict", AR_FILES, listing_of(hashlib.md5(b"two", usedforsecurity=False).hexdigest()))
    packages = stanza_directory.present(strict)["ar"]
    assert stanza_directory.file_problem(strict, packages, "ar/ner/news.pt") == ""
    assert "MD5 is" in stanza_directory.file_problem(strict, packages, "ar/tokenize/news.pt")
    with pytest.raises(ModelError, match="khabar models pull ar"):
        stanza_directory.verify_packages(strict, packages)


def write_record(directory: Path, files: dict[str, bytes]) -> None:
    """What a pull of Arabic would have recorded."""
    sha256 = {name: hashlib.sha256(content).hexdigest() for name, content in files.items()}
    record = json.dumps({"versions": {"ar": "1.13.0"}, "sha256": sha256})
    (directory / "pulled.json").write_text(record, encoding="utf-8")


def test_the_recorded_sha256_counts_for_what_was_pulled(tmp_path: Path) -> None:
    """A changed file, and one that the record does not know, are both refused."""
    directory = write_stanza(tmp_path, AR_FILES, listing_of())
    write_record(directory, AR_FILES)
    packages = stanza_directory.present(directory)["ar"]
    record = stanza_directory.records(directory, stanza_directory.present(directory))
    assert list(record) == ["ar"]
    assert (record["ar"].name, record["ar"].version) == ("stanza-ar-news", "1.13.0")
    (directory / "ar/ner/news.pt").write_bytes(b"twO")
    assert "sha256 is" in stanza_directory.file_problem(directory, packages, "ar/ner/news.pt")
    write_record(directory, {"ar/tokenize/news.pt": b"one"})
    assert "not recorded" in stanza_directory.file_problem(directory, packages, "ar/ner/news.pt")


def test_a_damaged_record_is_refused(tmp_path: Path) -> None:
    """A record that cannot be read must not count as no record."""
    directory = write_stanza(tmp_path, AR_FILES, listing_of())
    (directory / "pulled.json").write_bytes(b'{"sha256": 3}')
    with pytest.raises(ModelError, match=r"pulled\.json"):
        stanza_directory.records(directory, stanza_directory.present(directory))


def test_the_list_names_everything_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bundled, pulled and set models are a row each, with what is in use marked."""
    monkeypatch.setattr(models, "BUNDLED", tmp_path / "bundled")
    write_bundle(tmp_path / "bundled" / "fast", {"model.onnx": b"12345"}, figures={"ANERcorp": 0.75})
    write_stanza(tmp_path / "stanza", AR_FILES, listing_of())
    write_record(tmp_path / "stanza", AR_FILES)
    own = write_bundle(tmp_path / "own", {"model.onnx": b"1"})
    rows = models.listing(settings(tmp_path, models=str(own)))
    assert [(row.name, row.where, row.used) for row in rows] == [
        ("khabar-small", "bundled", False),
        ("stanza-ar-news", "pulled", False),
        ("khabar-small", "directory", True),
    ]
    assert rows[0].bytes == 5
    assert rows[0].figures == {"ANERcorp": 0.75}
    assert rows[1].languages == ["ar", "arabic"]
    assert rows[1].version == "1.13.0"
    assert rows[1].bytes == sum(map(len, AR_FILES.values()))


def test_the_pulled_directory_named_by_its_path_is_listed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """KHABAR_MODELS may name KHABAR_MODEL_DIR itself; another Stanza directory is a row of its own."""
    monkeypatch.setattr(models, "BUNDLED", tmp_path / "bundled")
    write_stanza(tmp_path / "stanza", AR_FILES, listing_of())
    rows = models.listing(settings(tmp_path, models=str(tmp_path / "stanza")))
    assert [(row.where, row.used) for row in rows] == [("pulled", True)]
    write_stanza(tmp_path / "other", AR_FILES, listing_of())
    rows = models.listing(settings(tmp_path, models=str(tmp_path / "other")))
    assert [(row.where, row.used) for row in rows] == [("pulled", False), ("directory", True)]


def test_verify_names_every_file_that_is_wrong(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bundled and pulled files alike."""
    monkeypatch.setattr(models, "BUNDLED", tmp_path / "bundled")
    write_bundle(tmp_path / "bundled" / "fast", {"model.onnx": b"network", "pieces.tsv": b"x"})
    write_stanza(tmp_path / "stanza", AR_FILES, listing_of())
    write_record(tmp_path / "stanza", AR_FILES)
    chosen = settings(tmp_path, models="fast")
    assert [check.problem for check in models.verify(chosen)] == [""] * 5
    (tmp_path / "bundled/fast/pieces.tsv").write_bytes(b"y")
    (tmp_path / "stanza/ar/ner/news.pt").write_bytes(b"")
    wrong = {check.path.name for check in models.verify(chosen) if check.problem}
    assert wrong == {"pieces.tsv", "news.pt"}


def test_a_language_that_lost_a_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The others go on without it, but it does not vanish in silence; a language nobody fetched is not missed."""
    monkeypatch.setattr(models, "BUNDLED", tmp_path / "bundled")
    fa = {file.replace("ar/", "fa/"): content for file, content in AR_FILES.items()}
    resources = listing_of()
    resources |= {"fa": json.loads(json.dumps(resources["ar"])), "de": json.loads(json.dumps(resources["ar"]))}
    directory = write_stanza(tmp_path / "stanza", AR_FILES | fa, resources)
    assert stanza_directory.missing(directory) == []
    (directory / "fa/pretrain/words.pt").unlink()
    assert stanza_directory.missing(directory) == [("fa", directory / "fa/pretrain/words.pt")]
    problems = [check.problem for check in models.verify(settings(tmp_path, models="official"))]
    assert [problem for problem in problems if problem] == ["missing: fa is not used"]


def test_looking_at_models_imports_nothing_heavy() -> None:
    """`khabar models list` and `--help` do not wait for torch."""
    code = "import sys, worker.nlp.models, worker.nlp.pipeline; print(sorted({'torch', 'stanza', 'onnxruntime'} & set(sys.modules)))"
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert printed.strip() == "[]"


def test_a_file_on_a_broken_disk_is_listed_and_verified(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list still shows what is there, and `verify` says which file cannot be read. (Root may read anything: no file can show it.)."""
    monkeypatch.setattr(models, "BUNDLED", tmp_path / "bundled")
    write_stanza(tmp_path / "stanza", AR_FILES, listing_of())
    write_record(tmp_path / "stanza", AR_FILES)

    def broken(file: Path) -> str:
        raise OSError(5, "Input/output error", str(file))

    monkeypatch.setattr(stanza_directory, "sha256_of", broken)
    assert [row.sha256 for row in models.listing(settings(tmp_path, models="official"))] == ["unreadable"]
    assert {check.problem for check in models.verify(settings(tmp_path, models="official"))} == {"cannot be read (Input/output error)"}

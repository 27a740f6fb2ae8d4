"""`khabar models pull` against a real HTTP server that serves real Stanza models, and against one that fails."""

import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from worker.errors import ModelError
from worker.nlp import models, pipeline, stanza_directory
from worker.settings import Settings

STANZA = Path(__file__).parents[1] / "data" / "stanza"
ARABIC = "وصل الوزير أنتوني بلينكن إلى القاهرة."


class Tree(SimpleHTTPRequestHandler):
    """Serves a folder; files named in ``cut`` end after half of the bytes promised."""

    cut: frozenset[str] = frozenset()

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - the base class's
        """Stay quiet."""

    def do_GET(self) -> None:
        """Send a file whole, or half of it."""
        if not any(self.path.endswith(name) for name in self.cut):
            super().do_GET()
            return
        content = Path(self.translate_path(self.path)).read_bytes()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content[: len(content) // 2])


class Server:
    """A Stanza resource tree on a local port."""

    def __init__(self, root: Path) -> None:
        """Copy nothing: links to the models, and a listing that points to this server."""
        self.root = root
        self.handler: type[Tree] = type("Handler", (Tree,), {})
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), lambda *given: self.handler(*given, directory=str(root)))
        self.url = f"http://127.0.0.1:{self.http.server_address[1]}"
        self.listing = json.loads((STANZA / "resources.json").read_bytes())
        self.listing["url"] = self.url + "/models/{lang}/{filename}"
        self.listing["arabic"] = {"alias": "ar"}
        (root / "models").symlink_to(STANZA)
        self.publish()

    def publish(self) -> None:
        """Put the listing where Stanza looks for it."""
        from stanza.resources.common import DEFAULT_RESOURCES_VERSION

        self.version = DEFAULT_RESOURCES_VERSION
        (self.root / f"resources_{self.version}.json").write_text(json.dumps(self.listing), encoding="utf-8")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A running server."""
    root = tmp_path / "served"
    root.mkdir()
    made = Server(root)
    thread = threading.Thread(target=made.http.serve_forever, daemon=True)
    thread.start()
    yield made
    made.http.shutdown()
    made.http.server_close()
    thread.join()


@pytest.fixture
def target(tmp_path: Path) -> Path:
    """Where models are pulled to; not there yet."""
    return tmp_path / "home" / "models"


def files_below(directory: Path) -> set[str]:
    """Every file, hidden ones too."""
    return {str(file.relative_to(directory)) for file in directory.rglob("*") if file.is_file()}


def sha256(file: Path) -> str:
    """Hex digest of a file."""
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_pulled_models_are_recorded_and_work(server: Server, target: Path) -> None:
    """Two languages arrive byte for byte, their sha256 are recorded, and the worker takes them."""
    pulled = list(models.pull(["ar", "fa"], directory=target, resources_url=server.url))
    assert [row.language for row in pulled] == ["ar", "fa"]
    names = {f"{language}/{processor}/news.pt" for language in ("ar", "fa") for processor in ("tokenize", "ner")}
    assert files_below(target) == names | {"resources.json", "pulled.json"}
    record = stanza_directory.read_pulled(target)
    assert record.sha256 == {name: sha256(STANZA / name) for name in names}
    assert record.versions == {"ar": server.version, "fa": server.version}
    settings = Settings(models="official", model_dir=target)
    assert [check.problem for check in models.verify(settings) if check.path.is_relative_to(target)] == [""] * 4
    loaded = pipeline.load(settings)
    assert [(model.name, model.version, model.sha256) for model in loaded.by_language.values()] == [
        (f"stanza-{row.language}-news", server.version, row.sha256) for row in pulled
    ]
    spans = loaded.analyse([("ar", ARABIC)])[0].spans
    assert [(ARABIC[span.start : span.end], span.type) for span in spans] == [("أنتوني بلينكن", "PER"), ("القاهرة", "LOC")]


def test_an_alias_brings_its_language(server: Server, target: Path) -> None:
    """`arabic` is an alias of `ar` in this listing, and stays one where it was pulled to."""
    assert [row.language for row in models.pull(["arabic"], directory=target, resources_url=server.url + "/")] == ["ar"]
    assert set(stanza_directory.present(target)) == {"ar", "arabic"}


def test_a_language_pulled_later_joins_those_there(server: Server, target: Path) -> None:
    """What was pulled before, and packages of one's own beside it, stay."""
    list(models.pull(["ar"], directory=target, resources_url=server.url))
    (target / "ar" / "pos").mkdir()
    (target / "ar" / "pos" / "own.pt").write_bytes(b"mine")
    list(models.pull(["fa"], directory=target, resources_url=server.url))
    list(models.pull(["ar"], directory=target, resources_url=server.url))
    assert set(stanza_directory.present(target)) == {"ar", "arabic", "fa"}
    assert set(stanza_directory.read_pulled(target).versions) == {"ar", "fa"}
    assert (target / "ar" / "pos" / "own.pt").read_bytes() == b"mine"


def fails(server: Server, target: Path, languages: list[str]) -> str:
    """The one line of a pull that fails, after which nothing is there."""
    with pytest.raises(ModelError) as raised:
        list(models.pull(languages, directory=target, resources_url=server.url))
    assert files_below(target) == set()
    text = str(raised.value)
    assert "\n" not in text
    return text


def test_a_broken_download_leaves_nothing(server: Server, target: Path) -> None:
    """The connection ends in the middle of the tagger; the tokenizer, whole, is not installed either."""
    server.handler.cut = frozenset({"ner/news.pt"})
    assert "nothing was installed" in fails(server, target, ["ar"])


def test_a_wrong_checksum_leaves_nothing(server: Server, target: Path) -> None:
    """A file that is not the one its listing promises is refused."""
    server.listing["ar"]["ner"]["news"]["md5"] = "0" * 32
    server.publish()
    assert "checksum differs" in fails(server, target, ["ar"])


def test_a_file_that_the_server_does_not_have_leaves_nothing(server: Server, target: Path) -> None:
    """The server's error page is no model."""
    server.listing["url"] = server.url + "/elsewhere/{lang}/{filename}"
    server.publish()
    assert "nothing was installed" in fails(server, target, ["ar"])


def test_a_failed_language_leaves_the_one_before(server: Server, target: Path) -> None:
    """Arabic is whole and stays; Persian, broken, is not there at all."""
    server.listing["fa"]["ner"]["news"]["md5"] = "0" * 32
    server.publish()
    steps = models.pull(["ar", "fa"], directory=target, resources_url=server.url)
    assert next(steps).language == "ar"
    with pytest.raises(ModelError):
        next(steps)
    assert set(stanza_directory.present(target)) == {"ar", "arabic"}
    assert not any(name.startswith((".pull", "fa")) for name in files_below(target))


def test_an_unknown_language_says_which_there_are(server: Server, target: Path) -> None:
    """A misspelt code is answered with the codes that would do."""
    assert "it has them for ar arabic fa" in fails(server, target, ["klingon"])


def test_an_unreachable_server_is_one_line(target: Path) -> None:
    """Nobody listens on the port."""
    with pytest.raises(ModelError) as raised:
        list(models.pull(["ar"], directory=target, resources_url="http://127.0.0.1:9"))
    assert "cannot be fetched" in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_directory_that_cannot_be_made_is_one_line(server: Server, tmp_path: Path) -> None:
    """A file stands where the directory should be."""
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ModelError, match="cannot write there"):
        list(models.pull(["ar"], directory=tmp_path / "file" / "models", resources_url=server.url))


def test_a_full_disk_leaves_nothing(server: Server, target: Path) -> None:
    """A process that may write 1 MB a file cannot store the tagger: one line, and nothing is installed."""
    code = (
        "import resource, sys\nfrom pathlib import Path\nimport stanza\n"
        "from worker.nlp import models\nfrom worker.errors import ModelError\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))\n"
        "try:\n    list(models.pull(['ar'], directory=Path(sys.argv[1]), resources_url=sys.argv[2]))\n"
        "except ModelError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, str(target), server.url], capture_output=True, text=True, check=True)
    assert "no room on the disk" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert files_below(target) == set()


def test_a_changed_file_is_refused_before_it_is_read(server: Server, target: Path) -> None:
    """One byte of a pulled model changes: loading says so and names the remedy."""
    list(models.pull(["ar"], directory=target, resources_url=server.url))
    file = target / "ar" / "ner" / "news.pt"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    settings = Settings(models="official", model_dir=target)
    with pytest.raises(ModelError, match="khabar models pull ar"):
        pipeline.load(settings)
    assert [check.path for check in models.verify(settings) if check.problem] == [file]

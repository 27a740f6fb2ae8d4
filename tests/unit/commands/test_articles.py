"""Files of articles as records."""

import io
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from worker.commands.articles import Item, read
from worker.errors import UserError


def one(path: Path, content: bytes) -> list[Item]:
    """Write a file and read it."""
    path.write_bytes(content)
    return list(read([str(path)]))


def from_stdin(monkeypatch: pytest.MonkeyPatch, content: bytes) -> list[Item]:
    """Read standard input."""
    monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=io.BytesIO(content)))
    return list(read(["-"]))


def test_a_text_file_is_a_body_under_its_name(tmp_path: Path) -> None:
    """The bytes stay as they are, even where they are no UTF-8; the name without ending is the key."""
    content = b"\xff first line\r\nsecond\n"
    (item,) = one(tmp_path / "my article.v2.txt", content)
    assert item.value == content
    assert item.key == b"my article.v2"
    assert item.headers == [("content-type", b"text/plain; charset=utf-8")]
    assert item.place == str(tmp_path / "my article.v2.txt")


def test_a_text_file_whose_name_is_no_utf8(tmp_path: Path) -> None:
    """File names are bytes; the key keeps them."""
    path = os.fsdecode(os.fsencode(tmp_path) + b"/na\xffme.txt")
    Path(path).write_bytes(b"Text.")
    (item,) = read([path])
    assert item.key == b"na\xffme"


@pytest.mark.parametrize(
    "content", [b'{"id": "a", "body": "T", "n": 1.50}', b'\xef\xbb\xbf{"id": "a", "body": "T"}', b'  {"id":"a","body":"T"}\n']
)
def test_a_json_article_is_sent_byte_for_byte(tmp_path: Path, content: bytes) -> None:
    """Numbers, order and white space are the sender's; the id is the key."""
    (item,) = one(tmp_path / "a.json", content)
    assert item.value == content
    assert item.key == b"a"


def test_a_json_list_gives_its_members_byte_for_byte(tmp_path: Path) -> None:
    """Each member as it stands there, whatever it is; those with an id have a key."""
    items = one(tmp_path / "list.json", b'\xef\xbb\xbf [ {"id": "a", "body": "\\u0645", "n": 1e400},\n 7, {"body":"T", "id": ""} ]')
    assert [item.value for item in items] == [b'{"id": "a", "body": "\\u0645", "n": 1e400}', b"7", b'{"body":"T", "id": ""}']
    assert [item.key for item in items] == [b"a", None, None]
    assert items[2].place.endswith("list.json#3")


@pytest.mark.parametrize("content", [b"", b"[1, 2", b"nonsense", b'{"id": 5}', b"[" * 200_000, b"\xff\xfe", b'["\xff"]'])
def test_what_is_no_article_goes_on_as_it_is(tmp_path: Path, content: bytes) -> None:
    """Nothing is judged here: the worker says what is wrong with it."""
    items = one(tmp_path / "bad.json", content)
    assert [item.key for item in items] == [None]
    assert content in (items[0].value, b"[" + items[0].value + b"]")


def test_json_lines(tmp_path: Path) -> None:
    """Blank lines are skipped, bad lines are kept, numbers count articles."""
    items = one(tmp_path / "a.jsonl", b'{"id":"a","body":"1"}\r\n\n  \n{bad\n{"id":"b","body":"2"}')
    assert [item.value for item in items] == [b'{"id":"a","body":"1"}', b"{bad", b'{"id":"b","body":"2"}']
    assert [item.number for item in items] == [0, 1, 2]


@pytest.mark.parametrize(
    ("content", "values"),
    [
        (b"Just text.", [b"Just text."]),
        (b"", [b""]),
        (b'{"body":\n "over two lines"}', [b'{"body":\n "over two lines"}']),
        (b'{"body":"1"}\n{"body":"2"}\n', [b'{"body":"1"}', b'{"body":"2"}']),
        (b'[{"body":"1"}, {"body":"2"}]', [b'{"body":"1"}', b'{"body":"2"}']),
        (b"{broken", [b"{broken"]),
    ],
)
def test_standard_input_is_what_it_looks_like(monkeypatch: pytest.MonkeyPatch, content: bytes, values: list[bytes]) -> None:
    """Lists, articles, lines of them, or a body."""
    items = from_stdin(monkeypatch, content)
    assert [item.value for item in items] == values
    assert items[0].place == "stdin"


def test_a_folder_stands_for_its_files_by_name(tmp_path: Path) -> None:
    """Only the three kinds, sorted; other files are no concern of ours."""
    for name in ("b.txt", "a.jsonl", "c.md"):
        (tmp_path / name).write_text('{"body": "T"}')
    assert [Path(item.path).name for item in read([str(tmp_path)])] == ["a.jsonl", "b.txt"]


def test_wrong_paths_are_said_before_anything_is_read(tmp_path: Path) -> None:
    """A missing or strange file is one line, and no article of the others has gone out by then."""
    good = tmp_path / "good.txt"
    good.write_text("Text.")
    (tmp_path / "folder").mkdir()
    for path, why in (("none.txt", "no such file"), ("folder", "a folder without"), ("README.md", "not .txt, .json, .jsonl")):
        (tmp_path / "README.md").write_text("x")
        with pytest.raises(UserError, match=why):
            read([str(good), str(tmp_path / path)])


def test_a_name_that_no_file_can_have_is_one_line() -> None:
    """The text of an article in the place of its file, say."""
    with pytest.raises(UserError, match="File name too long") as raised:
        read(["long " * 1000])
    assert len(str(raised.value)) < 300


def test_an_unreadable_file_is_one_line(tmp_path: Path) -> None:
    """A file that cannot be opened says so."""
    folder = tmp_path / "folder.txt"
    folder.mkdir()
    (folder / "x.md").write_text("")
    link = tmp_path / "link.json"
    link.write_text("{}")
    items = read([str(link)])
    link.unlink()
    with pytest.raises(UserError, match="No such file"):
        list(items)


def test_the_samples_are_articles_with_ids_of_their_own() -> None:
    """Six a language at least, Persian with and without zero-width non-joiners, and one that is none."""
    samples = Path(__file__).parents[3] / "worker" / "bundled" / "samples"
    items = list(read([str(samples)]))
    rows = [json.loads(item.value) for item in items]
    assert len({row["id"] for row in rows}) == len(rows)
    for code in ("ar", "fa", "en"):
        assert sum(row["id"].startswith(code) for row in rows) >= 6
    persian = [row["body"] for row in rows if row["id"].startswith("fa")]
    assert any("\u200c" in body for body in persian)
    assert any("شدهاند" in body for body in persian)
    assert [row["id"] for row in rows if not row["body"].strip()] == ["broken-1"]

"""Where the videos of a batch come from."""

from __future__ import annotations

from pathlib import Path

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from actparse.core.errors import DataError, VideoError
from actparse.scale.sources import Source, find_sources


def test_local_files_folders_and_patterns(tmp_path: Path) -> None:
    for name in ("a.mp4", "deep/b.mkv", "deep/.hidden.mp4", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(name)
    first, second = str(tmp_path / "a.mp4"), str(tmp_path / "deep" / "b.mkv")
    assert [source.uri for source in find_sources([tmp_path])] == [first, second]
    assert [source.uri for source in find_sources([f"file://{first}", tmp_path])] == [first, second]
    assert [source.uri for source in find_sources([f"{tmp_path}/**/*.mkv"])] == [second]
    [before] = find_sources([first])
    Path(first).write_text("changed")
    [after] = find_sources([first])
    assert before.stamp != after.stamp


def test_remote_folders_and_patterns() -> None:
    fs = fsspec.filesystem("memory")
    for name in ("videos/a.mp4", "videos/deep/b.mov", "videos/.trash/c.mp4", "videos/list.txt"):
        fs.pipe_file(f"/sources/{name}", b"x")
    names = [source.uri for source in find_sources(["memory://sources/videos"])]
    assert names == ["memory:///sources/videos/a.mp4", "memory:///sources/videos/deep/b.mov"]
    assert [source.uri for source in find_sources(["memory://sources/**/*.mov"])] == names[1:]
    assert [source.uri for source in find_sources(["memory://sources/videos/a.mp4"])] == [
        "memory://sources/videos/a.mp4"
    ]
    with pytest.raises(VideoError, match="memory://empty: needs at least one video, got none"):
        find_sources(["memory://empty"])


def test_characters_of_patterns_in_names_and_signatures() -> None:
    fs = fsspec.filesystem("memory")
    fs.pipe_file("/odd/a[1]?.mp4", b"x")
    fs.pipe_file("/odd/a1b.mp4", b"x")
    assert [source.uri for source in find_sources(["memory://odd/a[1]?.mp4"])] == ["memory://odd/a[1]?.mp4"]
    assert [source.uri for source in find_sources(["memory://odd/a[1]b.mp4"])] == ["memory:///odd/a1b.mp4"]
    signed = "https://store.example/a.mp4?Signature=[x]*&Expires=1"
    assert find_sources([signed]) == [Source(signed)]


def test_results_below_a_remote_folder_are_no_inputs() -> None:
    fs = fsspec.filesystem("memory")
    key = "abc" + "0" * 61
    for name in (f"results/abc/{key}/overlay.mp4", "clip/parse.json", "clip/overlay.mp4", "clip.mp4"):
        fs.pipe_file(f"/mixed/{name}", b"x")
    for pattern in ("memory://mixed", "memory://mixed/**/*.mp4"):
        assert [source.uri for source in find_sources([pattern])] == ["memory:///mixed/clip.mp4"]


def test_tables(tmp_path: Path) -> None:
    expected = [Source(str(tmp_path / "a.mp4")), Source("/b.mp4"), Source("s3://bucket/c.mp4")]
    uris = ["a.mp4", "file:///b.mp4", "s3://bucket/c.mp4"]
    (tmp_path / "list.csv").write_text("label,uri\n" + "".join(f"x,{uri}\n" for uri in uris))
    pq.write_table(pa.table({"uri": uris}), tmp_path / "list.parquet")
    assert find_sources([tmp_path / "list.csv"]) == expected
    assert find_sources([tmp_path / "list.parquet"]) == expected
    fsspec.filesystem("memory").pipe_file("/tables/list.csv", b"uri\nd.mp4\n")
    assert find_sources(["memory://tables/list.csv"]) == [Source("memory://tables/d.mp4")]


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.csv", None, "cannot be read: No such file"),
        ("other.csv", "path\na.mp4\n", "needs a column 'uri', got path"),
        ("gap.csv", 'uri,x\na.mp4,1\n"",2\n', "row 2: needs a URI, got an empty cell"),
        ("bad.parquet", "not parquet", "needs a table, got"),
    ],
)
def test_a_bad_table_is_one_line(name: str, content: str | None, message: str, tmp_path: Path) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(DataError, match=f"{name}: .*{message}") as raised:
        find_sources([tmp_path / name])
    assert "\n" not in str(raised.value)

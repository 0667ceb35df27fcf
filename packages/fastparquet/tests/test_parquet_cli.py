"""The command ``hocket-parquet``: what it shows, and how it ends."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hocket.parquet.cli.output import Output, nbytes_of, printable, shortened, table
from hocket.parquet.cli.program import main
from hocket.parquet.cli.values import json_of, text_of

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

ROWS = 1000


def sample():
    return pa.table(
        {
            "id": pa.array(range(ROWS), pa.int64()),
            "zone": pa.array([None if x % 10 == 0 else f"zone {x % 7}" for x in range(ROWS)]),
            "fare": pa.array([x / 4 for x in range(ROWS)], pa.float64()),
            "at": pa.array([x * 1_000_000 for x in range(ROWS)], pa.timestamp("us")),
            "stops": pa.array(
                [[{"city": f"c{x}", "minutes": x}] * (x % 3) for x in range(ROWS)],
                pa.list_(pa.struct([("city", pa.string()), ("minutes", pa.int32())])),
            ),
        }
    )


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    place = tmp_path_factory.mktemp("cli") / "sample.parquet"
    pq.write_table(
        sample().replace_schema_metadata({"note": "short", "long": "x" * 1000}),
        place,
        row_group_size=400,
        compression={"id": "zstd", "zone": "snappy", "fare": "none"},
        write_page_index=True,
        write_page_checksum=True,
        data_page_size=1000,
        write_batch_size=100,
        sorting_columns=[pq.SortingColumn(0)],
    )
    return str(place)


@pytest.fixture
def run(capsys):
    """The exit code, lines of output and of errors of a call."""

    def call(*arguments):
        code = main([str(each) for each in arguments])
        told = capsys.readouterr()
        return code, told.out.splitlines(), told.err.splitlines()

    return call


def run_json(run, *arguments):
    code, lines, errors = run(*arguments, "--json")
    assert (code, errors) == (0, [])
    return json.loads("\n".join(lines))


# ------------------------------------------------------------------------------------- the verbs


def test_info(run, path) -> None:
    code, lines, errors = run("info", path)
    assert (code, errors) == (0, [])
    told = dict(line[2:].split("  ", 1) for line in lines[1:] if not line.startswith("    "))
    told = {name: text.strip() for name, text in told.items()}
    assert lines[0] == path
    assert told["rows"] == "1,000"
    assert told["row groups"] == "3 of 200 to 400 rows"
    assert told["columns"] == "6, in 5 fields"
    assert told["created by"].startswith("parquet-cpp-arrow")
    assert told["codecs"].count("ZSTD (3 chunks)") == 1
    assert told["page index"] == "all column chunks"
    assert told["Bloom filters"] == "none"
    assert told["encryption"] == "none"
    assert told["sorted by"] == "id ascending"
    assert told["key-values"] == "note: short"
    assert "long: (1000 B)" in lines[-2] + lines[-1]


def test_info_of_a_part_as_json(run, path) -> None:
    about = run_json(run, "info", path, "--row-group", 2, "--columns", "id,fare")
    metadata = pq.read_metadata(path)
    chunks = [metadata.row_group(2).column(at) for at in (0, 2)]
    assert about["rows"] == 200
    assert (about["row_groups"], about["columns"], about["column_chunks"]) == (1, 2, 2)
    assert about["compressed_nbytes"] == sum(each.total_compressed_size for each in chunks)
    assert about["uncompressed_nbytes"] == sum(each.total_uncompressed_size for each in chunks)
    assert about["codecs"] == {"ZSTD": 1, "UNCOMPRESSED": 1}
    assert about["key_values"]["note"] == "short"
    assert about["files_nbytes"] == Path(path).stat().st_size
    assert about["encryption"] is None


def test_schema(run, path) -> None:
    code, lines, _ = run("schema", path)
    assert code == 0
    assert lines[0].split(None, 1) == ["id", "INT64, optional"]
    assert [line.split()[0] for line in lines[4:]] == [
        "stops",
        "list",
        "element",
        "city",
        "minutes",
    ]
    assert lines[7] == "      city     STRING, BYTE_ARRAY, optional"
    _, lines, _ = run("schema", path, "--columns", "stops.list.element.city")
    assert [line.split()[0] for line in lines] == ["stops", "list", "element", "city"]
    columns = run_json(run, "schema", path)["columns"]
    assert [each["name"] for each in columns] == ["id", "zone", "fare", "at", "stops"]
    leaf = columns[4]["fields"][0]["fields"][0]["fields"][1]
    assert leaf["path"] == "stops.list.element.minutes"
    assert (leaf["physical_type"], leaf["column_index"]) == ("INT32", 5)
    assert (leaf["max_definition_level"], leaf["max_repetition_level"]) == (4, 1)


def test_head(run, path) -> None:
    code, lines, _ = run("head", path, "--rows", 3)
    assert code == 0
    assert lines[0].split() == ["id", "zone", "fare", "at", "stops"]
    assert lines[1].split() == ["0", "null", "0.0", "1970-01-01", "00:00:00", "[]"]
    assert lines[2].endswith('  [{"city": "c1", "minutes": 1}]')
    assert len(lines) == 4
    code, lines, _ = run(
        "head", path, "--rows", 2, "--row-group", 1, "--columns", "zone,id", "--json"
    )
    assert [json.loads(line) for line in lines] == [
        {"zone": None, "id": 400},
        {"zone": "zone 2", "id": 401},
    ]
    (line,) = run("head", path, "--rows", 1, "--columns", "stops.minutes", "--row-group", 2)[1][1:]
    assert line == '[{"minutes": 800}, {"minutes": 800}]'


def test_head_in_a_narrow_terminal(run, path) -> None:
    code, lines, _ = run("head", path, "--rows", 2, "--width", 30)
    assert code == 0
    blocks = "\n".join(lines).split("\n\n")
    assert len(blocks) == 3
    assert [block.split("\n")[0].split() for block in blocks] == [
        ["id", "zone", "fare"],
        ["id", "at"],
        ["id", "stops"],
    ]


def test_stats(run, path) -> None:
    columns = {each["column"]: each for each in run_json(run, "stats", path)}
    assert (columns["id"]["min"], columns["id"]["max"], columns["id"]["nulls"]) == (0, 999, 0)
    assert (columns["zone"]["min"], columns["zone"]["max"]) == ("zone 0", "zone 6")
    assert (columns["zone"]["nulls"], columns["zone"]["values"]) == (100, 1000)
    assert columns["at"]["max"] == "1970-01-01T00:16:39.000000"
    assert columns["fare"]["codecs"] == ["UNCOMPRESSED"]
    assert columns["id"]["encodings"] == ["PLAIN", "RLE", "RLE_DICTIONARY"]
    (only,) = run_json(run, "stats", path, "--row-group", 1, "--columns", "id")
    assert (only["min"], only["max"], only["values"]) == (400, 799, 400)
    code, lines, _ = run("stats", path)
    assert code == 0
    assert lines[0].split()[:7] == ["column", "type", "values", "nulls", "distinct", "min", "max"]
    assert lines[2].split()[0] == "zone"
    assert "zone 6" in lines[2]


def test_bounds_that_some_row_group_does_not_tell(run, tmp_path) -> None:
    place = tmp_path / "nulls.parquet"
    nothing = pa.array([None] * 4, pa.int32())
    table_ = pa.table({"some": pa.array([7, 8, None, None], pa.int32()), "none": nothing})
    pq.write_table(table_, place, row_group_size=2)
    some, none = run_json(run, "stats", place)
    # A row group of nulls has no bounds, and takes none away.
    assert (some["min"], some["max"], some["nulls"]) == (7, 8, 2)
    assert (none["min"], none["max"], none["nulls"]) == (None, None, 4)
    pq.write_table(table_, place, row_group_size=2, write_statistics=["none"])
    some, _ = run_json(run, "stats", place)
    assert (some["min"], some["max"], some["nulls"]) == (None, None, None)


def test_pages(run, path) -> None:
    code, lines, _ = run("pages", path, "--columns", "fare", "--row-group", 0, "--json")
    assert code == 0
    pages = [json.loads(line) for line in lines]
    assert {page["column"] for page in pages} == {"fare"}
    assert [page["page"] for page in pages] == list(range(len(pages)))
    assert pages[0]["type"] == "dictionary"
    data = pages[1:]
    assert sum(page["values"] for page in data) == 400
    starts = np.cumsum([0, *(page["values"] for page in data)])[:-1]
    assert [page["first_row"] for page in data] == starts.tolist()
    # The headers do not tell the nulls, the column index does.
    assert [page["nulls"] for page in data] == [0] * len(data)
    assert all(page["crc"] is not None for page in pages)
    assert (
        pages[0]["offset"] == pq.read_metadata(path).row_group(0).column(2).dictionary_page_offset
    )
    code, lines, _ = run("pages", path, "--columns", "fare,id", "--row-group", 0)
    assert lines[0].startswith("row group 0, fare: DOUBLE, optional; UNCOMPRESSED, 400 values in ")
    assert lines[1].split()[:4] == ["page", "type", "encoding", "values"]
    assert lines[2].split()[1:4] == ["dictionary", "PLAIN", "400"]
    assert lines[len(pages) + 2] == ""
    assert lines[len(pages) + 3].startswith("row group 0, id: INT64, optional; ZSTD")


def test_a_dataset(run, tmp_path) -> None:
    frame = pd.DataFrame({"v": range(10), "year": [2025, 2026] * 5})
    frame.to_parquet(tmp_path / "set", partition_cols=["year"])
    about = run_json(run, "info", tmp_path / "set")
    assert (about["files"], about["rows"], about["partitions"]) == (2, 10, {"year": 2})
    assert run("schema", tmp_path / "set")[1][-1].split() == ["year", "partition,", "int64"]
    code, lines, _ = run("head", tmp_path / "set", "--columns", "year,v", "--rows", 1)
    assert (code, lines[1].split()) == (0, ["2025", "0"])
    (stats,) = run_json(run, "stats", f"{tmp_path}/set/*/*.parquet", "--columns", "v")
    assert (stats["min"], stats["max"]) == (0, 9)
    code, lines, _ = run("pages", tmp_path / "set", "--row-group", 1)
    assert "year=2026" in lines[0]


def test_an_empty_file(run, tmp_path) -> None:
    place = tmp_path / "empty.parquet"
    pq.write_table(sample().slice(0, 0), place)
    assert run_json(run, "info", place)["rows"] == 0
    for verb in ("info", "schema", "head", "stats", "pages", "verify"):
        code, _, errors = run(verb, place)
        assert (code, errors) == (0, [])


# ----------------------------------------------------------------------------- ends and errors


def test_errors_are_one_line(run, path, tmp_path) -> None:
    text = tmp_path / "text.csv"
    text.write_text("a,b\n1,2\n")
    for arguments, code, words in (
        (("info", tmp_path / "nothing"), 2, "No such file or directory"),
        (("info", f"{tmp_path}/*.nothing"), 2, "no file matches the pattern"),
        (("head", text), 1, "no Parquet file"),
        (("head", path, "--columns", "nobody"), 2, "there is no column 'nobody'"),
        (("stats", path, "--row-group", 3), 2, "there is no row group 3; there are 3"),
        (("info", "nobody://x"), 2, "nobody"),
    ):
        found, lines, errors = run(*arguments)
        assert (found, lines, len(errors)) == (code, [], 1)
        assert errors[0].startswith(f"hocket-parquet {arguments[0]}: ")
        assert words in errors[0]


def test_wrong_arguments(run, path) -> None:
    for arguments in ((), ("dance",), ("head", path, "--rows", "-1"), ("info",)):
        code, lines, errors = run(*arguments)
        assert (code, lines) == (2, [])
        assert errors[0].startswith("usage: hocket-parquet")
    assert run("--help")[0] == 0


def test_a_pipe_that_nobody_reads(path) -> None:
    command = [sys.executable, "-m", "hocket.parquet", "pages", path]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 141


def test_what_a_terminal_would_obey_is_shown_as_escapes(run, tmp_path) -> None:
    place = tmp_path / "evil.parquet"
    pq.write_table(pa.table({"a\x1b[2J": ["\x1b]0;title\x07", "two\nlines"]}), place)
    for verb in ("info", "schema", "head", "stats", "pages"):
        code, lines, _ = run(verb, place)
        assert code == 0
        assert not any("\x1b" in line or "\x07" in line for line in lines)
    lines = run("head", place)[1]
    assert lines == [r"a\x1b[2J", r"\x1b]0;title\x07", r"two\nlines"]
    assert "\x1b" not in run("head", place, "--columns", "b\x1b")[2][0]


# --------------------------------------------------------------------------------------- parts


def test_tables() -> None:
    rows = [["東京", "1"], ["b", "22"]]
    assert table(["name", "n"], rows, {"n"}) == ["name   n", "東京   1", "b     22"]
    assert table(["a", "b", "c"], [["1", "2", "3"]], width=4) == [
        *("a  b", "1  2", ""),
        *("a  c", "1  3"),
    ]
    assert table([], []) == []
    assert table(["only"], [["x" * 50]], width=10)[1] == "x" * 50


def test_numbers_of_bytes() -> None:
    told = [nbytes_of(each) for each in (None, 0, 1023, 1024, 1_048_524, 1 << 20, 5 << 40)]
    assert told == ["-", "0 B", "1023 B", "1.0 KiB", "1.0 MiB", "1.0 MiB", "5.0 TiB"]


def test_texts() -> None:
    assert printable("plain") == "plain"
    assert printable("a\tb\u202e") == "a\\tb\\u202e"
    assert printable("\udcff") == "\\udcff"
    assert shortened("abcdef", 5) == "ab..."
    assert text_of({"k": ["v", None, True, 1.5, b"\xff"]}) == '{"k": ["v", null, true, 1.5, 0xff]}'
    assert text_of(b"text") == "b'text'"
    assert text_of(float("nan")) == "NaN"
    assert text_of(np.datetime64("2026-01-02T03:04:05.600")) == "2026-01-02 03:04:05.6"


def test_json_values() -> None:
    assert json_of([float("inf"), np.int64(3), b"\x01", None, pd.NaT]) == [
        "Infinity",
        3,
        "01",
        None,
        None,
    ]
    assert json_of({1: "x"}) == [[1, "x"]]
    assert json_of(pd.Timestamp("2026-01-02")) == "2026-01-02T00:00:00"


def test_an_encoding_that_cannot_hold_it(tmp_path) -> None:
    place = tmp_path / "out.txt"
    with place.open("w", encoding="ascii") as stream:
        output = Output(stream)
        output.line("Zoë")
        output.flush()
    assert place.read_text(encoding="ascii") == "Zo\\xeb\n"

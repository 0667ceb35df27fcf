"""``hocket-parquet verify``: each damaged place is found, and told, and the next one too."""

from __future__ import annotations

import base64
import json

import pytest

from hocket.parquet.cli.program import main
from hocket.parquet.crypto import DecryptionKeys, read_metadata
from hocket.parquet.io.opening import open_source

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

ROWS = 600
MASTER = b"0123456789012345"


@pytest.fixture
def run(capsys):
    """The exit code, lines of output and of errors of a call."""

    def call(*arguments):
        code = main(["verify", *map(str, arguments)])
        told = capsys.readouterr()
        return code, told.out.splitlines(), told.err.splitlines()

    return call


@pytest.fixture
def verdict(capsys):
    """What is told as JSON."""

    def call(*arguments):
        code = main(["verify", *map(str, arguments), "--json"])
        found = json.loads(capsys.readouterr().out)
        assert found["ok"] == (code == 0)
        return found

    return call


def write(place, **options) -> None:
    table = pa.table(
        {
            "a": pa.array([None if x % 9 == 0 else x for x in range(ROWS)], pa.int32()),
            "s": [f"text {x % 50}" for x in range(ROWS)],
            "l": [[x] * (x % 3) for x in range(ROWS)],
        }
    )
    options = {"write_page_checksum": True, "write_page_index": True, **options}
    options.setdefault("data_page_size", 500)
    pq.write_table(table, place, row_group_size=300, write_batch_size=50, **options)


@pytest.fixture
def path(tmp_path):
    place = tmp_path / "sample.parquet"
    write(place)
    return place


def change(place, offset) -> None:
    raw = bytearray(place.read_bytes())
    raw[offset] ^= 0x41
    place.write_bytes(raw)


def page_of(capsys, path, column, row_group, page):
    main(["pages", str(path), "--json", "--columns", column, "--row-group", str(row_group)])
    return json.loads(capsys.readouterr().out.splitlines()[page])


def test_a_sound_file(run, verdict, path) -> None:
    code, lines, errors = run(path)
    assert (code, errors) == (0, [])
    (line,) = lines
    assert line.startswith("all right: 1 file, 2 row groups, 6 column chunks, ")
    found = verdict(path)
    assert (found["files"], found["row_groups"], found["rows"], found["chunks"]) == (1, 2, ROWS, 6)
    assert found["pages"] == found["checksums"] > 12
    assert found["indexes"] == 12
    assert verdict(path, "--row-group", 1, "--columns", "s,a")["chunks"] == 2


def test_without_checksums(run, tmp_path) -> None:
    place = tmp_path / "plain.parquet"
    write(place, write_page_checksum=False)
    code, lines, _ = run(place)
    assert code == 0
    assert lines[0].endswith("; no page has a checksum")


def test_each_damaged_chunk_is_told(run, verdict, path, capsys) -> None:
    first = page_of(capsys, path, "a", 0, 2)
    second = page_of(capsys, path, "l.list.element", 1, 1)
    for page in (first, second):
        change(path, page["offset"] + 40)
    found = verdict(path)
    assert [(each["row_group"], each["column"], each["page"]) for each in found["faults"]] == [
        (0, "a", 2),
        (1, "l.list.element", 1),
    ]
    assert [each["offset"] for each in found["faults"]] == [first["offset"], second["offset"]]
    assert {each["kind"] for each in found["faults"]} == {"ChecksumMismatch"}
    assert {each["file"] for each in found["faults"]} == {str(path)}
    code, lines, errors = run(path)
    assert (code, errors) == (1, [])
    assert lines[0].startswith(f"{path}, row group 0, column 'a', page 2, offset {first['offset']}")
    assert lines[2].startswith("2 faults: 1 file, ")
    assert verdict(path, "--columns", "s")["ok"]


def test_a_damaged_page_index(verdict, path) -> None:
    metadata, _ = read_metadata(open_source(path))
    chunks = metadata.chunks
    offset = int(chunks.offset_index_offset[0, 0])
    # The number of the first page's offset, behind the lists' and the struct's headers.
    change(path, offset + 3)
    (fault,) = verdict(path)["faults"]
    assert (fault["row_group"], fault["column"]) == (0, "a")
    assert "OffsetIndex" in fault["reason"] or "offset index" in fault["reason"]


def test_wrong_null_counts_are_found(verdict, path) -> None:
    from hocket.parquet.metadata.objects import bytes_of_object  # noqa: PLC0415 - as the library

    metadata, _ = read_metadata(open_source(path))
    thing = metadata.to_thrift()
    thing.row_groups[1].columns[0].meta_data.statistics.null_count += 1
    raw = path.read_bytes()
    footer = bytes_of_object(thing)
    begin = len(raw) - 8 - int.from_bytes(raw[-8:-4], "little")
    path.write_bytes(raw[:begin] + footer + len(footer).to_bytes(4, "little") + b"PAR1")
    (fault,) = verdict(path)["faults"]
    assert (fault["row_group"], fault["column"]) == (1, "a")
    assert "34 nulls, and there are 33" in fault["reason"]


def test_no_file_hides_the_next(run, verdict, path, tmp_path) -> None:
    damaged = tmp_path / "damaged.parquet"
    damaged.write_bytes(path.read_bytes()[:-20])
    code, lines, errors = run(damaged, tmp_path / "missing.parquet", path)
    assert code == 2
    assert lines[0].startswith(f"{damaged}: ")
    assert lines[1].startswith("1 fault: 1 file, 2 row groups, 6 column chunks")
    (error,) = errors
    assert error.startswith("hocket-parquet verify: ")
    assert "missing.parquet: No such file" in error
    found = verdict(tmp_path)
    assert (found["files"], len(found["faults"])) == (1, 1)
    assert verdict(f"{tmp_path}/s*.parquet")["ok"]


def test_a_dataset_with_a_summary(verdict, tmp_path) -> None:
    place = tmp_path / "set"
    collected: list = []
    table = pa.table({"v": range(10)})
    for part in ("a", "b"):
        (place / part).mkdir(parents=True)
        pq.write_table(table, place / part / "0.parquet", metadata_collector=collected)
        collected[-1].set_file_path(f"{part}/0.parquet")
    pq.write_metadata(table.schema, place / "_metadata", metadata_collector=collected)
    found = verdict(place)
    assert (found["ok"], found["files"], found["rows"]) == (True, 2, 20)
    pq.write_table(table.slice(0, 4), place / "b" / "0.parquet")
    (fault,) = verdict(place)["faults"]
    assert fault["file"].endswith("b/0.parquet")
    assert "another version of the file" in fault["reason"]
    (place / "a" / "0.parquet").unlink()
    faults = verdict(place)["faults"]
    assert len(faults) == 2
    assert "cannot be opened" in faults[0]["reason"]


def test_times_that_nanoseconds_cannot_hold_are_sound(verdict, tmp_path) -> None:
    place = tmp_path / "far.parquet"
    far = pa.array([0, 250_000_000_000_000], pa.timestamp("ms"))
    pq.write_table(pa.table({"t": far}), place, use_deprecated_int96_timestamps=True)
    assert verdict(place)["ok"]


# ---------------------------------------------------------------------------------- encryption


@pytest.fixture
def encrypted(tmp_path):
    """A file, and its keys by what they are for."""
    aead = pytest.importorskip("cryptography.hazmat.primitives.ciphers.aead")
    encryption = pytest.importorskip("pyarrow.parquet.encryption")
    master = aead.AESGCM(MASTER)

    class Service(encryption.KmsClient):
        def __init__(self, _):
            encryption.KmsClient.__init__(self)

        def wrap_key(self, key, _):
            return base64.b64encode(master.encrypt(bytes(12), key, b"")).decode()

        def unwrap_key(self, wrapped, _):
            return master.decrypt(bytes(12), base64.b64decode(wrapped), b"")

    factory = encryption.CryptoFactory(Service)
    configuration = encryption.EncryptionConfiguration(
        footer_key="footer", column_keys={"column": ["a"]}, double_wrapping=False
    )
    place = tmp_path / "secret.parquet"
    properties = factory.file_encryption_properties(encryption.KmsConnectionConfig(), configuration)
    pq.write_table(
        pa.table({"a": range(100), "b": range(100)}), place, encryption_properties=properties
    )
    keys = {}

    def retrieve(metadata):
        told = json.loads(metadata)
        wrapped = base64.b64decode(told["wrappedDEK"])
        keys[told["masterKeyID"]] = master.decrypt(bytes(12), wrapped, b"")
        return keys[told["masterKeyID"]]

    read_metadata(open_source(place), DecryptionKeys(key_retriever=retrieve))
    assert set(keys) == {"footer", "column"}
    return place, keys


def test_keys_from_the_environment_and_from_files(run, encrypted, tmp_path, monkeypatch) -> None:
    place, keys = encrypted
    monkeypatch.setenv("FOOTER_KEY", base64.b64encode(keys["footer"]).decode())
    of_column = tmp_path / "column.key"
    of_column.write_text(base64.b64encode(keys["column"]).decode() + "\n")
    options = ["--key-format", "base64", "--footer-key", "env:FOOTER_KEY"]
    code, lines, _ = run(place, *options, "--column-key", f"a=file:{of_column}")
    assert (code, len(lines)) == (0, 1)
    code, lines, _ = run(place, *options)
    assert code == 1
    assert "column 'a'" in lines[0]
    assert run(place, *options, "--columns", "b")[0] == 0
    code, lines, _ = run(place)
    assert code == 1
    assert "footer" in lines[0]
    monkeypatch.setenv("FOOTER_KEY", keys["footer"].hex())
    assert (
        run(place, "--key-format", "hex", "--footer-key", "env:FOOTER_KEY", "--columns", "b")[0]
        == 0
    )
    raw = tmp_path / "footer.key"
    raw.write_bytes(keys["footer"])
    assert run(place, "--footer-key", f"file:{raw}", "--columns", "b")[0] == 0


def test_keys_are_never_shown(run, capsys, encrypted, monkeypatch) -> None:
    place, keys = encrypted
    secret = "not-the-key-00-" + "x"
    monkeypatch.setenv("WRONG", secret)
    monkeypatch.setenv("SHORT", secret[:7])
    for option in (
        ["--footer-key", "env:WRONG"],
        ["--footer-key", "env:SHORT"],
        ["--footer-key", secret],
        ["--column-key", f"a={secret}"],
        ["--footer-key", "env:WRONG", "--key-format", "hex"],
        ["--footer-key", "env:NOBODY"],
    ):
        code, lines, errors = run(place, *option)
        assert code in (1, 2)
        assert secret[:7] not in "\n".join(lines + errors)
    monkeypatch.setenv("FOOTER_KEY", keys["footer"].hex())
    code = main(["info", str(place), "--key-format", "hex", "--footer-key", "env:FOOTER_KEY"])
    told = capsys.readouterr().out
    assert code == 0
    assert "AES_GCM_V1, footer encrypted, 1 column encrypted, 1 column chunk locked" in told

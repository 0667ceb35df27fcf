"""Finding the footer, and saying what is wrong with files that have none."""

import gzip
import io
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hocket.parquet.errors import CorruptFile
from hocket.parquet.io.buffers import PADDING_NBYTES
from hocket.parquet.io.footer import find_footer
from hocket.parquet.io.memory import MemorySource
from hocket.parquet.io.opening import open_source


def parquet(footer, *, body=b"", magic=b"PAR1"):
    return magic + body + footer + len(footer).to_bytes(4, "little") + magic


class Counting(MemorySource):
    def __init__(self, data):
        super().__init__(data)
        self.asked = []

    def check_range(self, offset, nbytes):
        self.asked.append((offset, nbytes))
        super().check_range(offset, nbytes)


def archive():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as writer:
        writer.writestr("a", b"b" * 100)
    return file.getvalue()


@pytest.mark.parametrize("body_nbytes", [0, 100, 70_000, 200_000])
@pytest.mark.parametrize("footer_nbytes", [1, 30, 65_528, 65_529, 150_000])
def test_the_footer_comes_whole_with_zeros_behind_it(footer_nbytes, body_nbytes):
    footer = bytes(index % 251 for index in range(footer_nbytes))
    for magic in (b"PAR1", b"PARE"):
        data = parquet(footer, body=b"x" * body_nbytes, magic=magic)
        found = find_footer(open_source(data))
        assert found.data.tobytes() == footer
        assert found.data.base[footer_nbytes:].tobytes() == bytes(PADDING_NBYTES)
        assert found.is_encrypted == (magic == b"PARE")
        assert found.offset == 4 + body_nbytes


def test_a_usual_footer_takes_one_read_beside_that_of_the_first_bytes():
    source = Counting(parquet(b"f" * 5000, body=b"x" * 100_000))
    find_footer(source)
    assert [nbytes for _, nbytes in source.asked if nbytes] == [32, 65_536]
    source = Counting(parquet(b"f" * 5000))
    find_footer(source)
    assert [nbytes for _, nbytes in source.asked if nbytes] == [5012]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "is empty"),
        (b"PAR1", "too few"),
        (b"PAR1PAR1", "too few"),
        (b"PAR1" + bytes(4) + b"PAR1", "footer has no bytes"),
        (parquet(b"abc")[:-1], "its end is missing"),
        (parquet(b"abc", body=b"x" * 100)[:50], "its end is missing"),
        (parquet(b"abc")[1:], "beginning was overwritten or is missing"),
        (b"PARE" + parquet(b"abc")[4:], "its end is missing"),
        (parquet(b"abc", magic=b"PAR2"), "no version of the format"),
        (gzip.compress(b"x" * 1000, mtime=0), "gzip archive; unpack"),
        (archive(), "zip archive"),
        (b"ARROW1\0\0" + b"x" * 50 + b"ARROW1", "Arrow IPC"),
        (b"ORC" + b"x" * 50 + b"\x03ORC\x17", "ORC file"),
        (b"Obj\x01" + b"x" * 50, "Avro"),
        (b"a,b,c\n1,2,3\n" * 9, "CSV perhaps"),
        ("größe;naïve\n".encode() * 9, "CSV perhaps"),
        (b'{"a": 1}\n', "JSON"),
        (b"<!DOCTYPE html><html>" + b"x" * 50, "HTML"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (bytes(5000), "nothing but zeros"),
        (b"\x01\x02\x03\x04" * 20, r"begins with b'\\x01"),
    ],
)
def test_what_is_no_parquet_file_is_told_by_its_bytes(data, reason):
    with pytest.raises(CorruptFile, match=reason) as caught:
        find_footer(open_source(data))
    assert caught.value.file == "<bytes>"


@pytest.mark.parametrize("claimed", [10, 11, 1 << 16, (1 << 31) - 1, 1 << 31, (1 << 32) - 1])
def test_a_footer_longer_than_the_file_is_an_error_and_no_memory(claimed):
    data = bytearray(parquet(b"x" * 9))
    data[-8:-4] = claimed.to_bytes(4, "little")
    with pytest.raises(CorruptFile, match="the footer claims") as caught:
        find_footer(open_source(data))
    assert caught.value.offset == len(data) - 8


def test_every_truncation_of_a_file_is_a_clean_error():
    data = parquet(b"footer of some bytes", body=b"and some of data")
    for length in range(len(data)):
        with pytest.raises(CorruptFile):
            find_footer(open_source(data[:length]))
        with pytest.raises(CorruptFile):
            find_footer(open_source(data[len(data) - length :]))


@given(st.binary(max_size=200), st.sampled_from([b"PAR1", b"PARE"]))
def test_any_bytes_between_the_magics_are_a_footer_or_a_clean_error(data, magic):
    try:
        footer = find_footer(open_source(magic + data + magic)).data
    except CorruptFile:
        return
    assert footer.size == int.from_bytes(data[-4:], "little") <= len(data) - 4
    assert data[:-4].endswith(footer.tobytes())


@given(st.binary(max_size=100))
def test_any_other_bytes_are_a_clean_error(data):
    with pytest.raises(CorruptFile):
        find_footer(open_source(data + b"?"))

"""Keys: given, by callback, and unwrapped from key material inside the file or beside it."""

import base64
import json
import pickle

import numpy as np
import pytest

from hocket.parquet.crypto import ColumnCrypto, DecryptionKeys, cipher_of_plain_footer
from hocket.parquet.crypto.key_material import KeyMaterial
from hocket.parquet.errors import EncryptionError, InvalidOption
from hocket.parquet.io.opening import open_source

aead = pytest.importorskip("cryptography.hazmat.primitives.ciphers.aead")

DATA_KEY = b"data key 16 byte"
WRAPPING_KEY = b"key key: 16 byte"
MASTERS = {"master": b"master key 16 by", "other": b"other master 16b"}
NONCE = bytes(12)


def wrap(key, by, aad):
    return base64.b64encode(NONCE + aead.AESGCM(by).encrypt(NONCE, key, aad)).decode()


def unwrap(wrapped, master):
    """Stand in for a key service."""
    raw = base64.b64decode(wrapped)
    return aead.AESGCM(MASTERS[master]).decrypt(raw[:12], raw[12:], master.encode())


class Service:
    """What pyarrow calls a KmsClient."""

    def __init__(self):
        self.asked = []

    def unwrap_key(self, wrapped, master):
        self.asked.append(master)
        return unwrap(wrapped, master)


def material(*, double=True, master="master", **changes):
    parts = {
        "keyMaterialType": "PKMT1",
        "internalStorage": True,
        "isFooterKey": False,
        "masterKeyID": master,
        "doubleWrapping": double,
    }
    if double:
        identity = b"identity of the wrapping key"
        parts["keyEncryptionKeyID"] = base64.b64encode(identity).decode()
        parts["wrappedKEK"] = wrap(WRAPPING_KEY, MASTERS[master], master.encode())
        parts["wrappedDEK"] = wrap(DATA_KEY, WRAPPING_KEY, identity)
    else:
        parts["wrappedDEK"] = wrap(DATA_KEY, MASTERS[master], master.encode())
    parts.update(changes)
    return json.dumps({name: value for name, value in parts.items() if value is not None}).encode()


def no_external():
    pytest.fail("external key material was asked for")


def reference(name):
    return json.dumps(
        {"keyMaterialType": "PKMT1", "internalStorage": False, "keyReference": name}
    ).encode()


def cipher(keys, source=None):
    """Return the cipher of a file with a plain footer that nobody signed."""
    algorithm = np.frombuffer(b"\x1c\x28\x01u\x00\x00", np.uint8)
    return cipher_of_plain_footer(
        algorithm, algorithm.size, 0, None, keys, source or open_source(b"file")
    )


@pytest.mark.parametrize(
    ("keys", "reason"),
    [
        ({"footer_key": b"short"}, "footer_key has 5 bytes"),
        ({"footer_key": "0123456789012345"}, "footer_key is str, and must be bytes"),
        ({"column_keys": {"a": b""}}, "the key of column 'a' has 0 bytes"),
        ({"column_keys": {("a", "b"): None}}, "must be bytes"),
        ({"aad_prefix": 3}, "aad_prefix is int"),
    ],
)
def test_what_is_no_key_is_refused(keys, reason):
    with pytest.raises(InvalidOption, match=reason):
        DecryptionKeys(**keys)


def test_keys_are_shown_nowhere_and_travel():
    keys = DecryptionKeys(DATA_KEY, {"a.b": WRAPPING_KEY}, aad_prefix=b"part0", unwrap_key=unwrap)
    opened = cipher(DecryptionKeys(column_keys={"a.b": WRAPPING_KEY}))
    column = opened.column(("a", "b"), 0, 0, ColumnCrypto(("a", "b"), None))
    for shown in map(repr, (keys, opened, column, column._key, str(keys))):
        assert "data key" not in shown
        assert "key key" not in shown
    assert "a.b" in repr(keys)
    assert "part0" in repr(keys)
    assert pickle.loads(pickle.dumps(keys)) == keys
    copy = pickle.loads(pickle.dumps(opened))
    assert copy.column(("a", "b"), 0, 0, ColumnCrypto(("a", "b"), None))


def test_a_key_is_given_by_path_or_by_a_field_around():
    keys = DecryptionKeys(
        column_keys={("a", "b"): b"1" * 16, "c.d.e": b"2" * 16, "c": b"3" * 16, "x.y": b"4" * 16}
    )
    assert keys.column_key(("a", "b")) == b"1" * 16
    assert keys.column_key(("a", "b", "list", "element")) == b"1" * 16
    assert keys.column_key(("a",)) is None
    assert keys.column_key(("c", "d", "e")) == b"2" * 16
    assert keys.column_key(("c", "d")) == b"3" * 16
    assert keys.column_key(("x.y",)) == b"4" * 16


def test_the_callback_is_asked_once_for_each_key_and_after_what_is_given():
    asked = []

    def retrieve(key_metadata):
        asked.append(key_metadata)
        return {b"kc1": DATA_KEY}.get(key_metadata)

    opened = cipher(DecryptionKeys(column_keys={"given": WRAPPING_KEY}, key_retriever=retrieve))
    for row_group in range(3):
        opened.column(("a",), row_group, 0, ColumnCrypto(("a",), b"kc1"))
        opened.column(("given",), row_group, 1, ColumnCrypto(("given",), b"kc1"))
        with pytest.raises(EncryptionError, match="leave the column out"):
            opened.column(("b",), row_group, 0, ColumnCrypto(("b",), b"kc2"))
        with pytest.raises(EncryptionError, match="leave the column out"):
            opened.column(("c",), row_group, 0, ColumnCrypto(("c",), None))
    assert asked == [b"kc1", b"kc2"]


def test_a_callback_that_fails_or_gives_no_key_is_an_error_with_its_column():
    def fail(_):
        raise KeyError("no such key")

    opened = cipher(DecryptionKeys(key_retriever=fail))
    with pytest.raises(EncryptionError, match="key_retriever failed") as caught:
        opened.column(("a",), 4, 0, ColumnCrypto(("a",), b"kc1"))
    assert (caught.value.column, caught.value.row_group) == ("a", 4)
    assert isinstance(caught.value.__cause__, KeyError)
    opened = cipher(DecryptionKeys(key_retriever=lambda _: b"too short"))
    with pytest.raises(InvalidOption, match="what key_retriever returned has 9 bytes"):
        opened.column(("a",), 4, 0, ColumnCrypto(("a",), b"kc1"))


@pytest.mark.parametrize("double", [False, True])
def test_key_material_in_the_file_is_unwrapped(double):
    assert KeyMaterial(unwrap, no_external).key(material(double=double)) == DATA_KEY
    service = Service()
    found = KeyMaterial(service, no_external)
    for _ in range(3):
        assert found.key(material(double=double)) == DATA_KEY
    # Wrapping keys are kept, so that a service is asked once for many columns.
    assert service.asked == ["master"] if double else ["master"] * 3


def test_key_material_beside_the_file_is_found_or_given(tmp_path):
    (tmp_path / "data.parquet").write_bytes(b"file")
    external = json.dumps(
        {"key0": material().decode(), "key1": material(double=False, master="other").decode()}
    )
    crypto = [ColumnCrypto(("a",), reference("key0")), ColumnCrypto(("a",), reference("key1"))]
    place = tmp_path / "elsewhere.json"
    place.write_text(external)
    for given in (external, external.encode(), place, str(place)):
        opened = cipher(DecryptionKeys(unwrap_key=unwrap, key_material=given))
        assert [opened.column(("a",), 0, 0, each)._key._key for each in crypto] == [DATA_KEY] * 2
    opened = cipher(DecryptionKeys(unwrap_key=unwrap), open_source(tmp_path / "data.parquet"))
    with pytest.raises(EncryptionError, match="pass it as key_material"):
        opened.column(("a",), 0, 0, crypto[0])
    place.rename(tmp_path / "_KEY_MATERIAL_FOR_data.parquet.json")
    for each in (opened, pickle.loads(pickle.dumps(opened))):
        assert each.column(("a",), 0, 0, crypto[0])._key._key == DATA_KEY
    with pytest.raises(EncryptionError, match="no key 'key7'"):
        opened.column(("a",), 0, 0, ColumnCrypto(("a",), reference("key7")))
    opened = cipher(DecryptionKeys(unwrap_key=unwrap))
    with pytest.raises(InvalidOption, match="not opened by a path"):
        opened.column(("a",), 0, 0, crypto[0])


@pytest.mark.parametrize(
    ("key_metadata", "reason"),
    [
        (b"kc1", "no JSON"),
        (b"\xff\xfe\x00", "no JSON"),
        (b"[" * 100_000, "no JSON"),
        (b"[1]", "no JSON object"),
        (material(keyMaterialType="PKMT9"), "type 'PKMT9'"),
        (material(masterKeyID=None), "no masterKeyID"),
        (material(masterKeyID=3), "no masterKeyID"),
        (material(wrappedDEK=None), "no wrappedDEK"),
        (material(wrappedKEK=None), "no wrappedKEK"),
        (material(keyEncryptionKeyID="!"), "not base64"),
        (material(wrappedDEK="AAAA"), "only 3 bytes"),
        (material(wrappedDEK=wrap(DATA_KEY, WRAPPING_KEY, b"x")), "do not decrypt"),
        (material(masterKeyID="unknown"), "did not unwrap a key of the master key 'unknown'"),
    ],
)
def test_key_material_that_is_none_is_an_error(key_metadata, reason):
    with pytest.raises(EncryptionError, match=reason):
        KeyMaterial(unwrap, lambda: b"{}").key(key_metadata)


def test_a_service_that_gives_no_key_is_an_error():
    with pytest.raises(InvalidOption, match="unwrapped by the master key 'master' is NoneType"):
        KeyMaterial(lambda *_: None, no_external).key(material())
    with pytest.raises(EncryptionError, match="the external key material is no JSON"):
        KeyMaterial(unwrap, lambda: b"?").key(reference("key0"))
    with pytest.raises(EncryptionError, match="more than any should"):
        KeyMaterial(unwrap, no_external).key(b" " * ((64 << 20) + 1))

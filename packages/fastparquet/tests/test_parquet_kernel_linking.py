"""Object code that calls what is nowhere is not linked: loaded, it would end the process."""

from __future__ import annotations

import shutil

import pytest

from hocket.parquet.errors import KernelsUnavailable
from hocket.parquet.kernels.linking import link
from hocket.parquet.kernels.symbols import undefined_symbols

binding = pytest.importorskip("llvmlite.binding")

CODE = """
target triple = "{triple}"
declare i64 @{called}(i64, i64)
declare i8* @memcpy(i8*, i8*, i64)
declare i8* @memset(i8*, i32, i64)
@table = global [4 x i64] [i64 1, i64 2, i64 3, i64 4]
define i64 @hocket_kernel(i64 %a, i8* %to, i8* %from) {{
  %copied = call i8* @memcpy(i8* %to, i8* %from, i64 %a)
  %filled = call i8* @memset(i8* %to, i32 %known, i64 %a)
  %found = call i64 @{called}(i64 %a, i64 %a)
  ret i64 %found
}}
define i64 @inside(i64 %a, i64 %b) {{
  %at = getelementptr [4 x i64], [4 x i64]* @table, i64 0, i64 %a
  %found = load i64, i64* %at
  ret i64 %found
}}
""".replace("%known", "7")

TRIPLES = ["x86_64-pc-linux-gnu", "x86_64-apple-darwin20", "x86_64-pc-windows-msvc"]


def object_code(called: str, triple: str | None = None) -> bytes:
    """Compile code that copies, fills, and calls one function more."""
    binding.initialize_native_target()
    binding.initialize_native_asmprinter()
    triple = triple or binding.get_process_triple()
    text = CODE.format(triple=triple, called=called)
    if called == "inside":
        text = text.replace("declare i64 @inside(i64, i64)\n", "")
    try:
        target = binding.Target.from_triple(triple)
    except RuntimeError:
        pytest.skip(f"this LLVM has no target {triple}")
    machine = target.create_target_machine(reloc="pic", codemodel="default")
    return machine.emit_object(binding.parse_assembly(text))


@pytest.mark.parametrize("triple", TRIPLES[:2])
def test_what_is_called_is_told(triple):
    found = undefined_symbols(object_code("numba_min", triple))
    assert found == {"numba_min", "memcpy", "memset"}
    assert undefined_symbols(object_code("inside", triple)) == {"memcpy", "memset"}


def test_of_other_files_nothing_is_told():
    assert undefined_symbols(object_code("numba_min", TRIPLES[2])) == set()
    assert undefined_symbols(b"") == set()


@pytest.mark.skipif(shutil.which("cc") is None, reason="there is no C compiler")
def test_only_what_every_process_has_is_linked():
    assert link(object_code("inside"))
    with pytest.raises(KernelsUnavailable, match="call numba_min, and nothing defines it"):
        link(object_code("numba_min"))
    for name in ("printf", "PyErr_SetString", "__divti3"):
        with pytest.raises(KernelsUnavailable, match=name):
            link(object_code(name))

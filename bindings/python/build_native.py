#!/usr/bin/env python3
"""Compiles sealstream._native: the library's public headers as they are, native.c and arrow.c.

Usage: build_native.py --output DIRECTORY --library DIRECTORY [--package DIRECTORY...] [--done FILE]

Makes DIRECTORY/sealstream/_native.abi3.so, linked with libsealstream of --library, and beside it links to what is in
the given packages' folders: DIRECTORY can then stand in PYTHONPATH. setup.py takes `for_wheel`.
"""
import argparse
import os
import pathlib
import re

from cffi import FFI

HERE = pathlib.Path(__file__).resolve().parent
SOURCES = HERE.parents[1] / "src"
NATIVE_SOURCES = ("native.c", "arrow.c", "../../src/base/utf8.c")
HEADERS = ("seal.h", "policy.h", "keyring.h", "engine.h")
LIMITED_API = "0x03090000"  # Python 3.9 and later
NATIVE_CDEF = """
enum native_what { NATIVE_PROTECT, NATIVE_REVEAL, NATIVE_DEAD_LETTER, ... };
enum native_outcome { NATIVE_WRONG_TYPE = -1, NATIVE_NO_MEMORY = -2, NATIVE_FAILED_RECORD = -3, ... };
struct native_call {
    struct seal_engine *engine;
    const struct seal_topic *topic;
    int what;
    void *records, *headers, *answer;
    size_t at;
    struct seal_err err;
};
int native_run(struct native_call *call);
struct native_arrow {
    struct seal_engine *engine;
    const struct seal_topic *topic;
    int what;
    bool keep_failed;
    void *schema, *array, *stream;
    struct native_column *column;
    size_t at;
    struct seal_err err;
};
int native_arrow_run(struct native_arrow *call);
int native_policy_own(struct seal_policy *policy, void *answer);
int native_column_own(struct native_column *column, void *answer);
int native_column_export(struct native_column *column, bool with_array, void *answer);
int64_t native_column_length(const struct native_column *column);
size_t native_column_failures(const struct native_column *column);
void native_column_failure(const struct native_column *column, size_t nth, int64_t *index, int *status, int *code,
                           const char **place, const char **text);
extern "Python" void native_found(void *arg, const struct seal_finding *finding);
extern "Python" void native_name(void *arg, const char *name);
"""


def declarations(header):
    """What a public header declares, as cffi reads it: no comments, no preprocessor, lengths left to the compiler."""
    text = re.sub(r"/\*.*?\*/", "", header, flags=re.DOTALL)
    text = re.sub(r"^\s*#(?:[^\n]*\\\n)*[^\n]*$", "", text, flags=re.MULTILINE)
    text = re.sub(r'extern "C" \{|^\}\s*$', "", text, flags=re.MULTILINE)
    text = re.sub(r"\b(SEAL_API|SEAL_MUST_USE)\b", "", text)
    return re.sub(r"\[SEAL_[A-Z_]+[^\]]*\]", "[...]", text)


def builder(include, library, rpath=None):
    """The FFI that compiles; `library`: where libsealstream is. All are paths."""
    made = FFI()
    for name in HEADERS:
        made.cdef(declarations((include / "sealstream" / name).read_text()))
    made.cdef("#define SEAL_KEY_MATERIAL_MAX ...\n" + NATIVE_CDEF)
    made.set_source("sealstream._native", "".join(f'#include "{name}"\n' for name in NATIVE_SOURCES),
                    py_limited_api=True, depends=[str(HERE / name) for name in NATIVE_SOURCES],
                    include_dirs=[str(HERE), str(include), str(SOURCES)],
                    libraries=["sealstream"], library_dirs=[str(library)],
                    define_macros=[("Py_LIMITED_API", LIMITED_API)],
                    extra_compile_args=["-O2", "-fvisibility=hidden", "-fno-plt"],
                    extra_link_args=[f"-Wl,-rpath,{rpath}"] if rpath else [])
    return made


def for_wheel():
    """What setup.py compiles; auditwheel says later where libsealstream is."""
    return builder(HERE.parents[1] / "include", pathlib.Path(os.environ["SEALSTREAM_LIBRARY"]))


def link(source, target):
    """`target` is a link to `source`, whatever it was."""
    if target.is_symlink() and target.readlink() == source:
        return
    target.unlink(missing_ok=True)
    target.symlink_to(source)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--output", type=pathlib.Path, required=True)
    parser.add_argument("--library", type=pathlib.Path, required=True)
    parser.add_argument("--package", type=pathlib.Path, action="append", default=[])
    parser.add_argument("--done", type=pathlib.Path, help="is written last")
    arguments = parser.parse_args()
    output, library = arguments.output.resolve(), arguments.library.resolve()
    package = output / "sealstream"
    package.mkdir(parents=True, exist_ok=True)
    for path in sorted(path for folder in arguments.package for path in folder.resolve().iterdir()):
        if path.name != "__pycache__":
            link(path, package / path.name)
    rpath = f"$ORIGIN/{os.path.relpath(library, package)}"
    builder(HERE.parents[1] / "include", library, rpath).compile(tmpdir=str(output))
    if arguments.done:
        arguments.done.write_text("")


if __name__ == "__main__":
    main()

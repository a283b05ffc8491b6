"""The embedded keyring: keys in a directory, wrapped under a master key."""
from __future__ import annotations

import os
from typing import Any, Callable, NamedTuple, NoReturn

from ._errors import raise_error, text_of, usage_error
from ._native import ffi, lib
from ._text import c_path, c_text

PathLike = os.PathLike[str]  # or a str, everywhere


class KeyInfo(NamedTuple):
    """What is known about a key."""

    name: str
    type: str
    created_ms: int  # Unix time
    auto_rotate: int  # encryptions after which it rotates itself; 0: never
    latest_version: int
    min_decryption_version: int
    min_encryption_version: int  # 0: the latest
    deletion_allowed: bool
    exportable: bool
    imported: bool
    derived: bool
    convergent: bool


class KeyVersion(NamedTuple):
    """What is known about one version of a key."""

    version: int
    created_ms: int  # Unix time
    uses: int  # encryptions so far, rounded up to the block that a process reserved


class KeyringOptions:
    """Where a keyring lies and how its master key is found, as C's struct; holds what that points to."""

    __slots__ = ("_kept", "pointer")

    def __init__(self, directory: str | PathLike | None = None, master_key_file: str | PathLike | None = None,
                 passphrase_file: str | PathLike | None = None, create: bool = False) -> None:
        paths = {"dir": directory, "master_key_file": master_key_file, "passphrase_file": passphrase_file}
        self._kept = {name: ffi.new("char[]", c_path(_absolute(path), f"the keyring's {name}"))
                      for name, path in paths.items() if path is not None}
        self.pointer = ffi.new("struct seal_keyring_options *", {"create": create, **self._kept})
        self.pointer.size = ffi.sizeof("struct seal_keyring_options")


def _absolute(path: str | PathLike) -> str:
    """A child of fork() may stand in another directory when it opens the keyring anew; links are left as they are."""
    given = os.fsdecode(path)
    return given if not given or os.path.isabs(given) else os.path.join(os.getcwd(), given)


class _Open:
    """A keyring of C. It is closed when the last call that uses it has ended, and never in a child of fork()."""

    __slots__ = ("__weakref__", "pid", "pointer")

    def __init__(self, options: KeyringOptions) -> None:
        self.pid = 0
        out, err = ffi.new("struct seal_keyring **"), ffi.new("struct seal_err *")
        if lib.seal_keyring_open(options.pointer, out, err) != lib.SEAL_OK:
            raise_error(err)
        self.pointer, self.pid = out[0], os.getpid()

    def __del__(self, getpid: Callable[[], int] = os.getpid) -> None:  # when Python ends, modules are empty by now
        if self.pid == getpid():
            self.pid = 0  # another's __del__ may still call: it gets a keyring anew
            lib.seal_keyring_close(self.pointer)


class Keyring:
    """An open keyring, for any number of threads and processes; `with` closes it.

    directory None: $SEALSTREAM_KEYRING, else sealstream/keyring under $XDG_DATA_HOME. The master key is the one inside
    the keyring unless a file with 32 raw bytes or with a passphrase is named. `create` makes what is not there yet.
    A child of fork() opens it anew.
    """

    __slots__ = ("_master_made", "_open", "_options", "_path")

    def __init__(self, directory: str | PathLike | None = None, *, master_key_file: str | PathLike | None = None,
                 passphrase_file: str | PathLike | None = None, create: bool = False) -> None:
        self._open: _Open | None = None
        self._path = ""
        opened = _Open(KeyringOptions(directory, master_key_file, passphrase_file, create))
        made = lib.seal_keyring_master_made(opened.pointer)
        self._master_made = None if made == ffi.NULL else text_of(made)
        self._path = text_of(lib.seal_keyring_path(opened.pointer))
        self._options = KeyringOptions(self._path, master_key_file, passphrase_file)
        self._open = opened

    def _here(self) -> _Open:
        """The keyring of this process. The one that fork() copied may be locked for ever, so it is left as it is."""
        opened = self._open
        if opened is None:
            raise usage_error("the keyring is closed")
        if opened.pid != os.getpid():
            opened = self._open = _Open(self._options)
        return opened

    def close(self) -> None:
        """Closes it; engines that were made with it go on."""
        self._open = None

    def __enter__(self) -> Keyring:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<sealstream.Keyring {self._path!r}{' closed' if self._open is None else ''}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a Keyring cannot be pickled or copied; open it where it is used")

    @property
    def path(self) -> str:
        return self._path

    @property
    def master_made(self) -> str | None:
        """The path of the master key that was just made: back it up, without it all that was protected is lost."""
        return self._master_made

    def keys(self) -> list[str]:
        """The names of all keys, sorted."""
        names: list[str] = []
        self._call(lib.seal_keyring_list, lib.native_name, ffi.new_handle(names))
        return names

    def info(self, name: str) -> KeyInfo:
        found = ffi.new("struct seal_key_info *", {"size": ffi.sizeof("struct seal_key_info")})
        self._call(lib.seal_keyring_info, _name(name), found)
        return KeyInfo(text_of(found.name), text_of(found.type), found.created_ms, found.auto_rotate,
                       found.latest_version, found.min_decryption_version, found.min_encryption_version,
                       found.deletion_allowed, found.exportable, found.imported, found.derived, found.convergent)

    def version(self, name: str, version: int) -> KeyVersion:
        """Versions count from 1."""
        found = ffi.new("struct seal_key_version *", {"size": ffi.sizeof("struct seal_key_version")})
        self._call(lib.seal_keyring_version, _name(name), version, found)
        return KeyVersion(found.version, found.created_ms, found.uses)

    def create_key(self, name: str, type: str = "aes256-gcm96", *, exportable: bool = False, derived: bool = False,
                   convergent: bool = False) -> None:
        """Makes a key with a fresh version 1. Types: "aes256-gcm96", "ff1", "hmac" and more, see docs/PYTHON.md."""
        options, kept = _key_options(type, exportable, derived, convergent)
        self._call(lib.seal_keyring_create_key_with, _name(name), options)
        del kept

    def import_key(self, name: str, material: bytes, type: str = "aes256-gcm96", *, exportable: bool = False,
                   derived: bool = False, convergent: bool = False) -> int:
        """Adds a version of raw bytes that come from elsewhere; makes the key when it is new. Gives its number."""
        options, kept = _key_options(type, exportable, derived, convergent)
        number = ffi.new("uint32_t *")
        data = ffi.from_buffer("uint8_t[]", material)
        view = ffi.new("struct seal_bytes *", {"ptr": data, "len": len(data)})
        self._call(lib.seal_keyring_import_with, _name(name), options, view[0], number)
        del kept
        return int(number[0])

    def export_key(self, name: str, version: int = 0) -> bytes:
        """The raw material of a version, 0: the latest, of an exportable key. Python cannot wipe it."""
        out, length = ffi.new("uint8_t[]", lib.SEAL_KEY_MATERIAL_MAX), ffi.new("size_t *")
        try:
            self._call(lib.seal_keyring_export, _name(name), version, out, lib.SEAL_KEY_MATERIAL_MAX, length)
            return bytes(ffi.buffer(out, length[0]))
        finally:
            ffi.memmove(out, bytes(lib.SEAL_KEY_MATERIAL_MAX), lib.SEAL_KEY_MATERIAL_MAX)

    def rotate(self, name: str) -> int:
        """Adds a fresh version; gives its number."""
        number = ffi.new("uint32_t *")
        self._call(lib.seal_keyring_rotate, _name(name), number)
        return int(number[0])

    def configure(self, name: str, *, min_decryption_version: int | None = None,
                  min_encryption_version: int | None = None, auto_rotate: int | None = None,
                  deletion_allowed: bool | None = None) -> None:
        """Changes what is given. min_encryption_version 0: always the latest; auto_rotate: encryptions, 0: never."""
        if min_decryption_version is not None:
            self._call(lib.seal_keyring_set_min_decryption, _name(name), min_decryption_version)
        if min_encryption_version is not None:
            self._call(lib.seal_keyring_set_min_encryption, _name(name), min_encryption_version)
        if auto_rotate is not None:
            self._call(lib.seal_keyring_set_auto_rotate, _name(name), auto_rotate)
        if deletion_allowed is not None:
            self._call(lib.seal_keyring_set_deletion_allowed, _name(name), deletion_allowed)

    def destroy_key(self, name: str) -> None:
        """Removes a key for good, if its deletion is allowed; what it protected is lost."""
        self._call(lib.seal_keyring_destroy_key, _name(name))

    def _call(self, function: Any, *arguments: Any) -> None:
        err, opened = ffi.new("struct seal_err *"), self._here()
        rc = function(opened.pointer, *arguments, err)
        del opened  # an exception's frames must not keep a closed keyring
        if rc != lib.SEAL_OK:
            raise_error(err)


def _name(name: str) -> bytes:
    return c_text(name, "a key's name")


def _key_options(type: str, exportable: bool, derived: bool, convergent: bool) -> tuple[Any, Any]:
    """C's options, and what must live as long."""
    kept = ffi.new("char[]", c_text(type, "a key's type"))
    return ffi.new("struct seal_key_options *", {"size": ffi.sizeof("struct seal_key_options"), "type": kept,
                                                 "exportable": exportable, "derived": derived,
                                                 "convergent": convergent}), kept


def _found_name(arg: Any, name: Any) -> None:
    ffi.from_handle(arg).append(text_of(name))


ffi.def_extern(name="native_name")(_found_name)

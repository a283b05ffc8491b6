"""Arrow's C data interface by ctypes: arrays and streams made and read by hand, with no Arrow library."""
import ctypes
import struct

POINTER = ctypes.c_void_p
RELEASE = ctypes.CFUNCTYPE(None, POINTER)


class Schema(ctypes.Structure):
    _fields_ = (("format", ctypes.c_char_p), ("name", ctypes.c_char_p), ("metadata", POINTER),
                ("flags", ctypes.c_int64), ("n_children", ctypes.c_int64), ("children", POINTER),
                ("dictionary", POINTER), ("release", RELEASE), ("private_data", POINTER))


class Array(ctypes.Structure):
    _fields_ = (("length", ctypes.c_int64), ("null_count", ctypes.c_int64), ("offset", ctypes.c_int64),
                ("n_buffers", ctypes.c_int64), ("n_children", ctypes.c_int64), ("buffers", ctypes.POINTER(POINTER)),
                ("children", POINTER), ("dictionary", POINTER), ("release", RELEASE), ("private_data", POINTER))


GET_SCHEMA = ctypes.CFUNCTYPE(ctypes.c_int, POINTER, ctypes.POINTER(Schema))
GET_NEXT = ctypes.CFUNCTYPE(ctypes.c_int, POINTER, ctypes.POINTER(Array))


class Stream(ctypes.Structure):
    _fields_ = (("get_schema", GET_SCHEMA), ("get_next", GET_NEXT), ("get_last_error", POINTER),
                ("release", RELEASE), ("private_data", POINTER))


new_capsule = ctypes.pythonapi.PyCapsule_New
new_capsule.restype, new_capsule.argtypes = ctypes.py_object, (POINTER, ctypes.c_char_p, POINTER)
capsule_pointer = ctypes.pythonapi.PyCapsule_GetPointer
capsule_pointer.restype, capsule_pointer.argtypes = POINTER, (ctypes.py_object, ctypes.c_char_p)


def bits(flags):
    made = bytearray(len(flags) // 8 + 1)
    for at, flag in enumerate(flags):
        made[at // 8] |= flag << at % 8
    return bytes(made)


def plain_buffers(format, rows):
    offsets, data = [0], b""
    for row in rows:
        data += row or b""
        offsets.append(len(data))
    return [struct.pack(f"{len(offsets)}{'q' if format in ('U', 'Z') else 'i'}", *offsets), data]


def view_buffers(rows):
    views, data = b"", [b"", b""]
    for at, row in enumerate(row or b"" for row in rows):
        if len(row) <= 12:
            views += struct.pack("<i", len(row)) + row.ljust(12, b"\xee")
        else:
            views += struct.pack("<i4sii", len(row), row[:4], at % 2, len(data[at % 2]))
            data[at % 2] += row
    return [views, *data, struct.pack("<qq", *map(len, data))]


class Given:
    """An array of `format` with `rows`, `before` others ahead of its offset and one behind its end."""

    released = 0

    def __init__(self, format, rows, before=(b"other", None), validity=True):
        around = [*before, *rows, b"behind"]
        buffers = [bits([row is not None for row in around]) if validity else None]
        buffers += view_buffers(around) if format[0] == "v" else plain_buffers(format, around)
        self.kept = [None if data is None else ctypes.create_string_buffer(data, len(data)) for data in buffers]
        places = [None if data is None else ctypes.addressof(data) for data in self.kept]
        self.pointers = (POINTER * len(buffers))(*places)
        self.release, self.ignore = RELEASE(self.count_release), RELEASE(lambda _: None)
        self.schema = Schema(format=format.encode(), release=self.ignore)
        self.array = Array(length=len(rows), null_count=-1, offset=len(before), n_buffers=len(buffers),
                           buffers=self.pointers, release=self.release)

    def count_release(self, _):
        self.released += 1

    def __arrow_c_array__(self, requested_schema=None):
        return (new_capsule(ctypes.addressof(self.schema), b"arrow_schema", None),
                new_capsule(ctypes.addressof(self.array), b"arrow_array", None))


class GivenStream:
    """The same in chunks; `fails`: reading them ends with an error."""

    def __init__(self, chunks, fails=False):
        self.chunks, self.left, self.fails = chunks, list(chunks), fails
        self.get_schema, self.get_next = GET_SCHEMA(self.give_schema), GET_NEXT(self.give_next)
        self.release = RELEASE(lambda _: None)
        self.stream = Stream(self.get_schema, self.get_next, None, self.release, None)

    def give_schema(self, _, out):
        ctypes.memmove(out, ctypes.byref(self.chunks[0].schema), ctypes.sizeof(Schema))
        return 0

    def give_next(self, _, out):
        if not self.left:
            return 5 if self.fails else 0
        ctypes.memmove(out, ctypes.byref(self.left.pop(0).array), ctypes.sizeof(Array))
        return 0

    def __arrow_c_stream__(self, requested_schema=None):
        return new_capsule(ctypes.addressof(self.stream), b"arrow_array_stream", None)


def rows_of(column):
    """(format, rows) of what was made; checks what Arrow asks of it."""
    schema_capsule, array_capsule = column.__arrow_c_array__()
    schema = ctypes.cast(capsule_pointer(schema_capsule, b"arrow_schema"), ctypes.POINTER(Schema)).contents
    array = ctypes.cast(capsule_pointer(array_capsule, b"arrow_array"), ctypes.POINTER(Array)).contents
    assert schema.flags & 2 and array.n_buffers == 3 and array.n_children == 0 and array.offset == 0
    large = schema.format in (b"U", b"Z")
    offsets = ctypes.cast(array.buffers[1], ctypes.POINTER(ctypes.c_int64 if large else ctypes.c_int32))
    data = ctypes.cast(array.buffers[2], ctypes.POINTER(ctypes.c_char))
    validity = array.buffers[0] and ctypes.cast(array.buffers[0], ctypes.POINTER(ctypes.c_uint8))
    rows = []
    for at in range(array.length):
        valid = not validity or validity[at // 8] >> at % 8 & 1
        assert offsets[at] <= offsets[at + 1]
        rows.append(data[offsets[at]:offsets[at + 1]] if valid else None)
    assert array.null_count == rows.count(None) and (array.length == 0 or offsets[0] == 0)
    return schema.format.decode(), rows

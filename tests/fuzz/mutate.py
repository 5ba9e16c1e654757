"""Spoiling a valid file, by bytes or by what its bytes mean; the same number always spoils it the same way."""

import json
import re
import struct
import zlib

NUMBERS = (
    0, 1, -1, 2, 7, 8, 127, 128, 255, 256, 32767, 32768, 65535, 65536, 2**31 - 1, 2**31, 2**32 - 1, 2**32, 2**53,
    2**63 - 1, 2**63, 2**64 - 1, -(2**31), -(2**63), 10**12, 10**400, 0.1, -0.0, 1e-320, 1e308, -1e308, 180, 181, 90, 91,
)  # fmt: skip
TEXTS = (
    "", " ", "\0", "\x1b[2J", "\u202e", "\ud800", "\ufeff", "a" * 300, "名" * 90, "é", "'", '"', "\\", "<b>", "&amp;", "%s",
    "{}", "../../etc/passwd", "/dev/zero", "nan", "inf", "null", "true", "-", "yes", "region", "rest", "overlay",
    "Polygon", "MultiPolygon", "GeometryCollection", "2024-06-01T00:00:00Z", "EPSG:3857", "__class__", "1e999",
)  # fmt: skip
WORDS = (
    b"\0", b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\x80", b"\xff", b"\xef\xbb\xbf", b"\xff\xfe", b"\xed\xa0\x80",
    b"[", b"]", b"{", b"}", b"<", b">", b"</", b"/>", b'"', b"'", b"&", b"&#0;", b"&x;", b"<!DOCTYPE x [", b"]]>", b"<!--",
    b"\n", b"\r", b",", b":", b".", b"=", b"#", b'"""', b"-1", b"1e999", b"nan", b"9" * 30, b"9" * 5000, b"A" * 3000,
    b"\x1b[31m", "\u202e".encode(), b"../", b"/dev/zero",
)  # fmt: skip


def spoil_bytes(rng, data, tokens=WORDS):
    """Change a few bytes anywhere: flips, integers, tokens, cuts, repeats, exchanges."""
    made = bytearray(data)
    for _ in range(rng.choice((1, 1, 1, 2, 3, 8))):
        at = rng.randrange(len(made) + 1)
        much = rng.choice((1, 1, 2, 4, 8, 16, 64, 300))
        match rng.randrange(9):
            case 0 if at < len(made):
                made[at] ^= 1 << rng.randrange(8)
            case 1:
                made[at : at + 1] = bytes([rng.randrange(256)])
            case 2:
                size, order = rng.choice((1, 2, 4, 8)), rng.choice(("little", "big"))
                number = int(rng.choice(NUMBERS)) if rng.random() < 0.7 else rng.getrandbits(8 * size)
                made[at : at + size] = (number % (1 << 8 * size)).to_bytes(size, order)
            case 3:
                made[at : at + rng.choice((0, 1, 4))] = rng.choice(tokens)
            case 4:
                del made[at : at + much]
            case 5:
                made[at:at] = made[at : at + much] * rng.choice((1, 1, 2, 50))
            case 6:
                start = rng.randrange(len(made) + 1)
                made[at : at + much] = made[start : start + much]
            case 7 if rng.random() < 0.3:
                del made[at:]
            case 8 if rng.random() < 0.1:
                made = bytearray()
    return bytes(made)


# ------------------------------------------------------------------------------------------------------------ JSON


def any_value(rng, depth=3):
    """A JSON value of any type, odd ones more often than not."""
    kind = rng.randrange(9 if depth else 6)
    if kind < 2:
        return rng.choice(NUMBERS)
    if kind < 4:
        return rng.choice(TEXTS)
    if kind < 6:
        return rng.choice((None, True, False, [], {}, float("nan"), float("inf"), -float("inf")))
    if kind == 6:
        return [any_value(rng, depth - 1) for _ in range(rng.randrange(5))]
    if kind == 7:
        return {rng.choice(TEXTS): any_value(rng, depth - 1) for _ in range(rng.randrange(4))}
    return nested(rng.choice((1, 20, 300)))


def nested(depth):
    made = 1
    for number in range(depth):
        made = [made] if number % 2 else {"coordinates": made}
    return made


def spots(value, found=None):
    """Every (container, key) in a JSON value."""
    found = [] if found is None else found
    for key in value if isinstance(value, dict) else range(len(value)):
        found.append((value, key))
        if isinstance(value[key], dict | list):
            spots(value[key], found)
    return found


def spoil_value(rng, value):
    """Exchange, drop, double, or change values anywhere in a JSON value; it is changed in place."""
    for _ in range(rng.choice((1, 1, 1, 2, 4))):
        places = spots(value) if isinstance(value, dict | list) else []
        if not places or rng.random() < 0.02:
            return any_value(rng)
        (holder, key), (other, there) = rng.choice(places), rng.choice(places)
        old = holder[key]
        match rng.randrange(8):
            case 0:
                del holder[key]
            case 1:
                holder[key] = json.loads(json.dumps(other[there]))
            case 2 if isinstance(holder, list):
                holder[key:key] = [json.loads(json.dumps(old))] * rng.choice((1, 2, 30))
            case 3 if isinstance(holder, dict):
                holder[rng.choice(TEXTS)] = holder.pop(key)
            case 4 if isinstance(old, int | float):
                holder[key] = rng.choice((-old, old * 1e6, old + 360, old / 3, str(old), [old]))
            case 5 if isinstance(old, list):
                holder[key] = rng.choice((old[::-1], old[:1], old[:-1], [old], old + old))
            case 6 if isinstance(old, str):
                holder[key] = rng.choice((old.upper(), old + rng.choice(TEXTS), old[:1], [old], {old: old}))
            case _:
                holder[key] = any_value(rng)
    return value


def spoil_json(rng, data):
    value = spoil_value(rng, json.loads(data))
    return json.dumps(value, ensure_ascii=rng.random() < 0.5).encode("utf-8", "surrogatepass")


# ------------------------------------------------------------------------------------------------------- text forms


def spoil_toml(rng, data):
    """Change keys, values and whole lines of a TOML text."""
    lines = data.decode().splitlines()
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(lines))
        key, equals, value = lines[at].partition(" = ")
        match rng.randrange(8):
            case 0:
                del lines[at]
            case 1:
                lines.insert(rng.randrange(len(lines)), lines[at])
            case 2:
                lines[at] = (
                    f"{rng.choice((key + 'x', key * 2, 'x.' + key, key + '.y', '[' + key + ']', json.dumps(rng.choice(TEXTS))))}{equals}{value}"
                )
            case 3:
                lines[at], lines[0] = lines[0], lines[at]
            case 4:
                depth = rng.choice((3, 100, 2000))
                lines[at] = f"{key} = {'[' * depth}{']' * rng.choice((depth, 0))}"
            case 5:
                lines[at] = rng.choice(
                    (".".join("k" * rng.choice((3, 90, 3000))) + " = 1", f"[{'.'.join('k' * 3000)}]")
                )
            case _:
                lines[at] = f"{key} = {toml_value(rng)}"
        if not lines:
            return b""
    return "\n".join(lines).encode("utf-8", "surrogatepass")


def toml_value(rng):
    return rng.choice(
        (
            json.dumps(rng.choice(TEXTS), ensure_ascii=rng.random() < 0.5), str(rng.choice(NUMBERS)), "true", "[]", "{}", "nan", "inf",
            "1979-05-27", "25:61:00", "0x7fffffffffffffff", "1" * 5000, "[1, 'a', {}]", "{a = 1}", "[[1], [2]]", "'''\n'''", '["a"]',
            "{ value = nan, source = 'x', status = 'verified' }", "{ value = -1, source = '', status = 'x' }", "'../../etc/passwd'",
            "'/dev/zero'", "'x.toml'", "'/proc/self/mem'",
        )
    )  # fmt: skip


def spoil_table(rng, data):
    """Change cells, rows and the header of a CSV text."""
    rows = [line.split(",") for line in data.decode().splitlines()]
    for _ in range(rng.choice((1, 1, 2, 4))):
        row = rng.choice(rows)
        at = rng.randrange(len(row))
        match rng.randrange(6):
            case 0:
                del row[at]
            case 1:
                row[at:at] = [row[at]] * rng.choice((1, 2, 500))
            case 2:
                rng.shuffle(row)
            case 3:
                rows.insert(0, rows.pop())
            case 4:
                row[at] = f'"{rng.choice(TEXTS)}'
            case 5:
                row[at] = str(rng.choice((*NUMBERS, *TEXTS, "１２", "1_000", "0x10", " 9 ", "1e5", "9" * 400)))
        if not all(rows):
            rows = [row for row in rows if row] or [[""]]
    return rng.choice(("\n", "\r\n", "\r")).join(map(",".join, rows)).encode("utf-8", "surrogatepass")


_ATTRIBUTE = re.compile(rb'"[^"]*"')
_ELEMENT = re.compile(rb"<[^>]*>")


def spoil_xml(rng, data):
    """Change attributes and elements of an OSM XML text."""
    for _ in range(rng.choice((1, 1, 2, 4))):
        found = list(rng.choice((_ATTRIBUTE, _ATTRIBUTE, _ELEMENT)).finditer(data))
        if not found:
            break
        one, other = rng.choice(found), rng.choice(found)
        new = rng.choice(
            (
                other[0], b"", one[0] + one[0], one[0][:-1], one[0].upper(),
                b'"%s"' % str(rng.choice((*NUMBERS, *TEXTS))).encode("utf-8", "surrogatepass"),
                b'"%s"' % str(rng.choice(NUMBERS)).encode(),
            )
        )  # fmt: skip
        data = data[: one.start()] + new + data[one.end() :]
    return data


# ------------------------------------------------------------------------------------------------------ PBF and TIFF


def fields(data):
    """Fields of a protobuf message, as ``[number, wire type, value]``; None where it is none."""
    found, at = [], 0
    while at < len(data):
        head, at = varint(data, at)
        kind, number = head & 7, head >> 3
        if kind == 0:
            value, at = varint(data, at)
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            value, at = data[at : at + size], at + size
        elif kind == 2:
            size, at = varint(data, at)
            value, at = data[at : at + size], at + size
        else:
            return None
        if at > len(data) or not number:
            return None
        found.append([number, kind, value])
    return found


def varint(data, at):
    value = shift = 0
    while at < len(data):
        value |= (data[at] & 127) << shift
        shift, at = shift + 7, at + 1
        if data[at - 1] < 128:
            return value, at
    return 0, len(data) + 1


def as_varint(value):
    value %= 1 << 64
    made = bytearray()
    while value > 127:
        made.append(value & 127 | 128)
        value >>= 7
    return bytes([*made, value])


def message(parts):
    """Bytes of a protobuf message."""
    made = b""
    for number, kind, value in parts:
        made += as_varint(number << 3 | kind)
        made += as_varint(value) if kind == 0 else as_varint(len(value)) + value if kind == 2 else value
    return made


def spoil_message(rng, data, depth=5):
    """Change a protobuf message somewhere: a number, a text, the order, presence or nesting of fields."""
    parts = fields(data)
    if not parts:
        return spoil_bytes(rng, data)
    at = rng.randrange(len(parts))
    number, kind, value = parts[at]
    choice = rng.random()
    if choice < 0.08:
        del parts[at]
    elif choice < 0.16:
        parts[at:at] = [parts[at]] * rng.choice((1, 2, 200))
    elif choice < 0.2:
        parts[at] = [rng.choice((1, 2, 3, 4, 8, 10, 17, 2**28)), kind, value]
    elif choice < 0.24:
        parts[at], parts[0] = parts[0], parts[at]
    elif kind == 0:
        new = int(rng.choice(NUMBERS)) if rng.random() < 0.7 else value + rng.choice((-1, 1))
        parts[at] = [number, kind, new]
    elif kind == 2 and depth and value and rng.random() < 0.8:
        inner = fields(value)
        if inner and any(k in (0, 2) for _, k, _ in inner) and rng.random() < 0.85:
            parts[at] = [number, kind, spoil_message(rng, value, depth - 1)]
        else:
            parts[at] = [number, kind, spoil_packed(rng, value)]
    else:
        parts[at] = [number, kind, spoil_bytes(rng, value) if isinstance(value, bytes) else value]
    return message(parts)


def spoil_packed(rng, data):
    """Change one of a row of packed integers."""
    numbers, at = [], 0
    while at < len(data):
        value, at = varint(data, at)
        numbers.append(value)
    if not numbers:
        return data
    numbers[rng.randrange(len(numbers))] = int(rng.choice(NUMBERS))
    return b"".join(map(as_varint, numbers))


def blobs(data):
    """Blobs of a PBF file, as (type, unpacked content)."""
    found, at = [], 0
    while at < len(data):
        size = int.from_bytes(data[at : at + 4])
        head = {number: value for number, _, value in fields(data[at + 4 : at + 4 + size])}
        at += 4 + size
        body = {number: value for number, _, value in fields(data[at : at + head[3]])}
        at += head[3]
        found.append((head[1], zlib.decompress(body[3]) if 3 in body else body[1]))
    return found


def pbf(parts, *, sizes=None, packed=True):
    """Bytes of a PBF file; ``sizes`` are the unpacked sizes it claims, where they are not the true ones."""
    made = b""
    for number, (kind, raw) in enumerate(parts):
        claimed = (sizes or {}).get(number, len(raw))
        body = message([[2, 0, claimed], [3, 2, zlib.compress(raw)]] if packed else [[1, 2, raw]])
        head = message([[1, 2, kind], [3, 0, len(body)]])
        made += struct.pack(">I", len(head)) + head + body
    return made


def spoil_pbf(rng, data):
    """Change what the blocks of a PBF file say, packed anew so that the reader gets to it."""
    parts = blobs(data)
    for _ in range(rng.choice((1, 1, 2, 4))):
        at = rng.randrange(len(parts)) if rng.random() < 0.2 else len(parts) - 1
        parts[at] = parts[at][0], spoil_message(rng, parts[at][1])
    if rng.random() < 0.05:
        parts[rng.randrange(len(parts))] = rng.choice(parts)
    sizes = {rng.randrange(len(parts)): int(rng.choice(NUMBERS))} if rng.random() < 0.05 else None
    return pbf(parts, sizes=sizes, packed=rng.random() < 0.9)


def spoil_tiff(rng, data):
    """Change entries of the first directory of a little-endian TIFF: tag, type, count or value."""
    made = bytearray(data)
    start = struct.unpack_from("<I", made, 4)[0]
    n = struct.unpack_from("<H", made, start)[0]
    for _ in range(rng.choice((1, 1, 2, 3))):
        at = start + 2 + 12 * rng.randrange(n)
        kind, count, value = struct.unpack_from("<HII", made, at + 2)
        match rng.randrange(6):
            case 0:
                struct.pack_into(
                    "<H", made, at, rng.choice((256, 257, 258, 259, 273, 277, 279, 317, 322, 323, 339, 42113, 34735, 1))
                )
            case 1:
                struct.pack_into("<H", made, at + 2, rng.choice((0, 1, 2, 3, 4, 5, 12, 16, 99)))
            case 2:
                struct.pack_into("<I", made, at + 4, int(rng.choice(NUMBERS)) % 2**32)
            case 3 if count > 1 or kind == 12:  # the value is an offset: change what it points at
                if value + 8 <= len(made):
                    where = value + 8 * rng.randrange(max(1, min(count, (len(made) - value) // 8)))
                    struct.pack_into("<d", made, where, float(rng.choice([n for n in NUMBERS if abs(n) <= 1e308])))
            case _:
                struct.pack_into("<I", made, at + 8, int(rng.choice(NUMBERS)) % 2**32)
    return bytes(made)

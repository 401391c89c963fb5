"""Mutations of bytes, text, JSON and arrays: a function of a value and a random generator each."""

# ruff: noqa: E501  lists of odd values
from __future__ import annotations

import copy
from random import Random
from typing import Any

import numpy as np

NUMBERS = [
    0,
    1,
    -1,
    2,
    3,
    7,
    255,
    256,
    65535,
    2**31 - 1,
    2**31,
    -(2**31),
    2**32,
    2**53,
    2**62,
    2**63 - 1,
    2**63,
    -(2**63),
    2**64,
    10**30,
]
ODD = [
    None,
    True,
    False,
    0.5,
    -0.0,
    float("nan"),
    float("inf"),
    1e308,
    1e-320,
    "",
    "x",
    "auto",
    "1",
    "1e3",
    [],
    {},
    [[]],
    {"a": 1},
    [1, "x"],
]
TOKENS = [
    b"#", b"%", b"%%", b"//", b"\n", b"\r\n", b"\r", b"\t", b" ", b",", b";", b"|", b'"', b"'", b'""', b"\\", b"\0", b"\xff", b"\xef\xbb\xbf",
    b"\xff\xfe", b"\xfe\xff", b"nan", b"inf", b"-inf", b"NA", b"null", b"None", b"true", b"0", b"-1", b"007", b"1_0", b"+5", b"1e5", b"1e400",
    b"0x1f", b"1.", b".5", b"9223372036854775807", b"-9223372036854775808", b"18446744073709551616", "é".encode(), "٣".encode(),
    "\u2028".encode(), "\u00a0".encode(), "\U0001f600".encode(), b"head", b"source,target", b"weight", b"<", b">", b"&amp;", b"[", b"]", b"{", b"}",
]  # fmt: skip


def mutate_bytes(data: bytes, random: Random, *, most: int = 5, other: bytes = b"") -> bytes:
    """Change some places of `data`; `other` is spliced in now and then."""
    content = bytearray(data)
    for _ in range(random.randint(1, most)):
        place = random.randrange(len(content) + 1)
        length = min(len(content) - place, int(random.paretovariate(0.7)))
        kind = random.randrange(10)
        if kind == 0 and content:
            content[place % len(content)] ^= 1 << random.randrange(8)
        elif kind == 1 and content:
            content[place % len(content)] = random.randrange(256)
        elif kind == 2:
            del content[place : place + length]
        elif kind == 3:
            content[place:place] = random.randbytes(random.randint(1, 8))
        elif kind == 4:
            content[place:place] = content[place : place + length] * random.choice([1, 1, 2, 20])
        elif kind == 5:
            content[place : place + random.choice([0, 1, length])] = random.choice(TOKENS)
        elif kind == 6 and random.random() < 0.3:
            del content[place:]
        elif kind == 7 and other:
            start = random.randrange(len(other))
            content[place : place + length] = other[start : start + length + 5]
        elif kind == 8 and len(content) > place + 8:
            width = random.choice([1, 2, 4, 8])
            content[place : place + width] = (random.choice(NUMBERS) % (1 << 8 * width)).to_bytes(width, "little")
        else:
            content[place : place + length] = str(random.choice(NUMBERS)).encode()
    return bytes(content[: 1 << 17])


def flip_bit(data: bytes, random: Random) -> bytes:
    """Flip one bit."""
    content = bytearray(data)
    place = random.randrange(8 * len(content))
    content[place // 8] ^= 1 << place % 8
    return bytes(content)


def odd_value(random: Random) -> Any:
    """Return a value of JSON that is seldom what was expected."""
    return copy.deepcopy(random.choice([random.choice(NUMBERS), random.choice(ODD)]))


def mutate_json(value: Any, random: Random) -> Any:
    """Return a copy of nested JSON in which one to three places are changed, gone, or new."""
    value = copy.deepcopy(value)
    for _ in range(random.randint(1, 3)):
        places = list(_places(value))
        if not places:
            return odd_value(random)
        holder, key = random.choice(places)
        kind = random.randrange(5)
        if kind == 0:
            del holder[key]
        elif kind == 1 and isinstance(holder, dict):
            holder[random.choice(["x", "type", "model", "dim", "", str(key) + "x"])] = odd_value(random)
        elif kind == 2 and isinstance(holder, list):
            holder.insert(key, odd_value(random))
        elif kind == 3:
            holder[key] = [holder[key]] if random.random() < 0.5 else {"a": holder[key]}
        else:
            holder[key] = odd_value(random)
    return value


def _places(value: Any) -> Any:
    if isinstance(value, dict | list):
        for key, item in list(value.items() if isinstance(value, dict) else enumerate(value)):
            yield value, key
            yield from _places(item)


def mutate_arrays(arrays: dict[str, np.ndarray], random: Random) -> dict[str, np.ndarray]:
    """Return copies of arrays in which one to three things are changed: values, order, dtype, shape, presence."""
    found = {name: array.copy() for name, array in arrays.items()}
    for _ in range(random.randint(1, 3)):
        if not found:
            return found
        name = random.choice(sorted(found))
        array, kind = found[name], random.randrange(12)
        flat = array.reshape(-1)
        if kind <= 3 and flat.size:
            flat[random.randrange(flat.size)] = _number(array.dtype, random)
        elif kind == 4 and flat.size:
            first = random.randrange(flat.size)
            flat[first : first + random.randint(1, 9)] = _number(array.dtype, random)
        elif kind == 5:
            found[name] = array[: random.randrange(len(array) + 1)] if array.ndim else array
        elif kind == 6:
            found[name] = np.concatenate([array, array[-1:]]) if array.ndim else array
        elif kind == 7:
            found[name] = array.astype(
                random.choice([np.int32, np.int64, np.float32, np.float64, np.uint8, np.uint64, np.float16, np.bool_])
            )
        elif kind == 8:
            found[name] = random.choice(
                [array.reshape(-1), array.reshape(1, -1), array.reshape(-1, 1), array[..., None]]
            )
        elif kind == 9:
            np.random.default_rng(random.randrange(2**32)).shuffle(flat)
        elif kind == 10 and flat.size > 1:
            i = random.randrange(flat.size - 1)
            flat[i], flat[i + 1] = flat[i + 1], flat[i]
        else:
            del found[name]
            if random.random() < 0.3:
                found[random.choice(["x", "vertex", "context", "names", "vertex_moment1", "indices", "weights"])] = (
                    array
                )
    return found


def _number(dtype: np.dtype[Any], random: Random) -> Any:
    if dtype.kind == "f":
        return random.choice([np.nan, np.inf, -np.inf, 0, -1, 3e38, 1e-45, 0.5, 1])
    if dtype.kind in "iu":
        low, high = int(np.iinfo(dtype).min), int(np.iinfo(dtype).max)
        return min(max(random.choice([*NUMBERS, random.randrange(40)]), low), high)
    return 0

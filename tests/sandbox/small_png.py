"""Reduces the size of a browser's PNG pictures. With a palette of 256 colors they need a third of the space.

A page has few colors, except for emoji. The code reads only the form that chromium writes: 8 bits a channel,
not interlaced.
"""

import struct
import zlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# How many bytes a pixel has, by PNG's number of the color type: 2 is RGB, 6 is RGBA.
_PIXEL_BYTES = {2: 3, 6: 4}
_COLORS = 256
# The `_MOST_USED` most frequent colors are always chosen. Another color is chosen only if the square of its
# distance to each chosen color is at least `_FAR_APART`.
_MOST_USED, _FAR_APART = 80, 250


def shrink(path: Path) -> None:
    """Rewrite the picture with 256 colors."""
    chunks = list(_chunks(path.read_bytes()))
    width, height, _, kind = struct.unpack(">IIBB", chunks[0][1][:10])
    filtered = zlib.decompress(b"".join(content for name, content in chunks if name == b"IDAT"))
    rows = list(_rows(filtered, width * _PIXEL_BYTES[kind], _PIXEL_BYTES[kind]))
    pixels = [[row[at : at + 3] for at in range(0, len(row), _PIXEL_BYTES[kind])] for row in rows]
    palette = _palette(Counter(pixel for row in pixels for pixel in row))
    numbers = {color: number for number, color in enumerate(palette)}
    body = bytearray()
    for row in pixels:
        body.append(0)
        body += bytes(_number(pixel, palette, numbers) for pixel in row)
    head = struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)
    made = (
        (b"IHDR", head),
        (b"PLTE", b"".join(palette)),
        (b"IDAT", zlib.compress(bytes(body), 9)),
        (b"IEND", b""),
    )
    path.write_bytes(_SIGNATURE + b"".join(_chunk(name, content) for name, content in made))


def _palette(uses: Counter[bytes]) -> list[bytes]:
    """Choose the colors of the palette: first those that are used most, then others that differ from the
    chosen ones.

    Otherwise the shades of the letters would leave no place for the colors of emoji.
    """
    chosen: list[bytes] = []
    for color, _ in uses.most_common():
        is_new = all(_distance(color, each) >= _FAR_APART for each in chosen)
        if len(chosen) < _COLORS and (is_new or len(chosen) < _MOST_USED):
            chosen.append(color)
    return chosen


def _distance(one: bytes, other: bytes) -> int:
    return sum((a - b) ** 2 for a, b in zip(one, other, strict=True))


def _number(pixel: bytes, palette: list[bytes], numbers: dict[bytes, int]) -> int:
    """Return the number of the palette's color that is nearest to the pixel. `numbers` remembers the
    results."""
    if pixel not in numbers:
        distances = [_distance(pixel, color) for color in palette]
        numbers[pixel] = distances.index(min(distances))
    return numbers[pixel]


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at < len(content):
        (length,) = struct.unpack(">I", content[at : at + 4])
        yield content[at + 4 : at + 8], content[at + 8 : at + 8 + length]
        at += length + 12


def _chunk(name: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))


def _rows(filtered: bytes, length: int, step: int) -> Iterator[bytes]:
    """Return each row of pixels. PNG's filters store each byte as the difference from its neighbors; undo
    this."""
    above = bytes(length)
    for start in range(0, len(filtered), length + 1):
        row = bytearray(filtered[start + 1 : start + 1 + length])
        for at in range(length):
            left, corner = (row[at - step], above[at - step]) if at >= step else (0, 0)
            row[at] = (row[at] + _predicted(filtered[start], left, above[at], corner)) % 256
        above = bytes(row)
        yield above


def _predicted(kind: int, left: int, above: int, corner: int) -> int:
    if kind == 4:  # Paeth
        return min((left, above, corner), key=lambda each: abs(left + above - corner - each))
    return (0, left, above, (left + above) // 2)[kind]

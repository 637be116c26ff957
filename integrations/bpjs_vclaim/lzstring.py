"""LZString's URI-safe form, which BPJS packs its answers in: LZW over bits, 6 to a character, unpacked up to a cap.

Ours because no package stops in time: 57 kB of it can stand for 300 MB (docs/adr/0008).
"""

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-"
_BITS = {character: f"{number:06b}" for number, character in enumerate(_ALPHABET)}
_SHORT, _LONG, _END = range(3)  # a new character of 8 bits, one of 16, the end; from 3 on codes stand for texts


class NotPacked(Exception):
    """The text was not made by LZString, was cut, or unpacks to more than is taken."""


def unpack(packed: str, most: int) -> str:
    """What was packed, in UTF-16 units as JavaScript counts them. Raises NotPacked, before more than `most` is held."""
    bits = _Bits(packed)
    texts = ["", "", ""]
    found: list[str] = []
    size = 0
    before = ""
    while True:
        code = bits.take(len(texts).bit_length())
        if code == _END:
            return _characters("".join(found))
        if code in (_SHORT, _LONG):
            texts.append(chr(bits.take(8 if code == _SHORT else 16)))
            code = len(texts) - 1
        if code > len(texts) or (code == len(texts) and not before):
            raise NotPacked("a code that stands for nothing yet")
        text = texts[code] if code < len(texts) else before + before[0]
        size += len(text)
        if size > most:
            raise NotPacked(f"unpacks to more than {most} characters")
        found.append(text)
        if before:
            texts.append(before + text[0])
        before = text


def pack(text: str) -> str:
    """As LZString's compressToEncodedURIComponent does it, bit by bit the same."""
    units = _units(text)
    codes: dict[str, int] = {}
    unsent: set[str] = set()
    bits: list[str] = []
    known = 3  # how many texts the reader will know by now
    before = ""

    def send(word: str) -> None:
        nonlocal known
        width = known.bit_length()
        if word in unsent:
            unsent.remove(word)
            long = ord(word) > 0xFF
            bits.append(_lowest_first(_LONG if long else _SHORT, width) + _lowest_first(ord(word), 16 if long else 8))
            known += 1
        else:
            bits.append(_lowest_first(codes[word], width))
        known += len(bits) > 1

    for unit in units:
        if unit not in codes:
            codes[unit] = len(codes) + 3
            unsent.add(unit)
        if before + unit in codes:
            before += unit
            continue
        send(before)
        codes[before + unit] = len(codes) + 3
        before = unit
    if before:
        send(before)
    bits.append(_lowest_first(_END, known.bit_length()))
    return _as_characters("".join(bits))


class _Bits:
    """The stream's bits, taken from its start; each number stands with its lowest bit first."""

    def __init__(self, packed: str) -> None:
        try:
            self._backwards = "".join([_BITS[character] for character in packed])[::-1]
        except KeyError:
            raise NotPacked("a character outside the alphabet") from None
        self._left = len(self._backwards)

    def take(self, width: int) -> int:
        if width > self._left:
            raise NotPacked("cut off")
        self._left -= width
        return int(self._backwards[self._left : self._left + width], 2)


def _lowest_first(number: int, width: int) -> str:
    return f"{number:0{width}b}"[::-1]


def _as_characters(bits: str) -> str:
    whole = bits + "0" * (6 - len(bits) % 6)
    return "".join(_ALPHABET[int(whole[start : start + 6], 2)] for start in range(0, len(whole), 6))


def _units(text: str) -> str:
    """Each UTF-16 unit as a character of its own."""
    encoded = text.encode("utf-16-le", "surrogatepass")
    return "".join(chr(encoded[n] | encoded[n + 1] << 8) for n in range(0, len(encoded), 2))


def _characters(units: str) -> str:
    try:
        return units.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
    except UnicodeDecodeError:
        raise NotPacked("half a character") from None

"""Small packed texts that stand for huge ones, made without ever holding those."""

import base64

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+-"


def packed_bomb(characters: int) -> str:
    """LZString of at least so many times "x": each code stands for one character more than the one before."""
    bits = ["00", f"{ord('x'):08b}"[::-1]]
    size, codes = 1, 4
    while size < characters:
        bits.append(f"{codes:0{codes.bit_length()}b}"[::-1])
        size += codes - 2
        codes += 1
    bits.append(f"{2:0{codes.bit_length()}b}"[::-1])
    stream = "".join(bits)
    stream += "0" * (6 - len(stream) % 6)
    return "".join(_ALPHABET[int(stream[start : start + 6], 2)] for start in range(0, len(stream), 6))


def sealed_packed(packed: str, key: bytes) -> str:
    """Seal what is packed already, however badly, as `sealing.seal` would."""
    padder = PKCS7(128).padder()
    encryptor = Cipher(AES(key), CBC(key[:16])).encryptor()
    padded = padder.update(packed.encode()) + padder.finalize()
    return base64.b64encode(encryptor.update(padded) + encryptor.finalize()).decode()

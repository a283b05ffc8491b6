"""FF3-1 by the text of NIST SP 800-38G r1 (2019 draft), algorithms 9 and 10, in Python; shares nothing with src/crypto.

Numeral strings are lists of integers; the step numbers are the standard's.
"""
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

TWEAK_SIZE = 7


def num(numerals, radix):  # algorithm 1
    x = 0
    for numeral in numerals:
        x = x * radix + numeral
    return x


def text(x, radix, m):  # algorithm 3, STR
    out = [0] * m
    for i in range(m - 1, -1, -1):
        x, out[i] = divmod(x, radix)
    return out


def longest(radix):
    """maxlen = 2 * floor(log_radix(2^96))"""
    n = 0
    while radix ** (n + 1) <= 2 ** 96:
        n += 1
    return 2 * n


class FF31:
    def __init__(self, key, radix):
        self.ecb = Cipher(algorithms.AES(key[::-1]), modes.ECB()).encryptor()
        self.radix = radix

    def halves(self, tweak):
        """T_L and T_R of step 3: 56 bits spread over 64."""
        return (tweak[:3] + bytes([tweak[3] & 0xf0]),
                tweak[4:7] + bytes([(tweak[3] & 0x0f) << 4]))

    def y(self, i, w, half):  # steps 4.ii to 4.iv
        p = bytes(a ^ b for a, b in zip(w, i.to_bytes(4, "big"))) + num(half[::-1], self.radix).to_bytes(12, "big")
        return int.from_bytes(self.ecb.update(p[::-1])[::-1], "big")

    def encrypt(self, x, tweak):  # algorithm 9
        n = len(x)
        u = (n + 1) // 2
        v = n - u
        a, b = x[:u], x[u:]
        left, right = self.halves(tweak)
        for i in range(8):
            m, w = (u, right) if i % 2 == 0 else (v, left)
            c = (num(a[::-1], self.radix) + self.y(i, w, b)) % self.radix ** m
            a, b = b, text(c, self.radix, m)[::-1]
        return a + b

    def decrypt(self, x, tweak):  # algorithm 10
        n = len(x)
        u = (n + 1) // 2
        v = n - u
        a, b = x[:u], x[u:]
        left, right = self.halves(tweak)
        for i in range(7, -1, -1):
            m, w = (u, right) if i % 2 == 0 else (v, left)
            c = (num(b[::-1], self.radix) - self.y(i, w, a)) % self.radix ** m
            b, a = a, text(c, self.radix, m)[::-1]
        return a + b

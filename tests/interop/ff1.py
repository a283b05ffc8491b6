"""FF1 by the text of NIST SP 800-38G r1, algorithms 5, 7 and 8, in Python; shares nothing with src/crypto.

Numeral strings are lists of integers; the step numbers are the standard's.
"""
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes


def num(numerals, radix):  # algorithm 1
    x = 0
    for numeral in numerals:
        x = x * radix + numeral
    return x


def numerals(x, radix, m):  # algorithm 3, STR
    out = [0] * m
    for i in range(m - 1, -1, -1):
        x, out[i] = divmod(x, radix)
    return out


class FF1:
    def __init__(self, key, radix):
        self.ecb = Cipher(algorithms.AES(key), modes.ECB()).encryptor()
        self.radix = radix

    def prf(self, blocks, y=0):  # algorithm 5; y: what stands behind blocks that are done
        for at in range(0, len(blocks), 16):
            y = int.from_bytes(self.ecb.update((y ^ int.from_bytes(blocks[at:at + 16], "big")).to_bytes(16, "big")), "big")
        return y

    def rounds(self, x, tweak):
        """u, v of step 1, and the y of step 6.iv as a function of the round and the half."""
        n, t = len(x), len(tweak)
        u = n // 2
        v = n - u
        b = ((self.radix ** v - 1).bit_length() + 7) // 8
        d = 4 * ((b + 3) // 4) + 4
        p = bytes([1, 2, 1]) + self.radix.to_bytes(3, "big") + bytes([10, u % 256]) + \
            n.to_bytes(4, "big") + t.to_bytes(4, "big")
        q = tweak + bytes((-t - b - 1) % 16)
        behind_p = self.prf(p)  # the same in all rounds

        def y(i, half):
            r = self.prf(q + bytes([i]) + half.to_bytes(b, "big"), behind_p)
            s = r.to_bytes(16, "big")
            j = 1
            while len(s) < d:
                s += self.ecb.update((r ^ j).to_bytes(16, "big"))
                j += 1
            return int.from_bytes(s[:d], "big")

        return u, v, y

    def encrypt(self, x, tweak):  # algorithm 7
        u, v, y = self.rounds(x, tweak)
        a, b = num(x[:u], self.radix), num(x[u:], self.radix)
        for i in range(10):
            m = u if i % 2 == 0 else v
            a, b = b, (a + y(i, b)) % self.radix ** m
        return numerals(a, self.radix, u) + numerals(b, self.radix, v)

    def decrypt(self, x, tweak):  # algorithm 8
        u, v, y = self.rounds(x, tweak)
        a, b = num(x[:u], self.radix), num(x[u:], self.radix)
        for i in range(9, -1, -1):
            m = u if i % 2 == 0 else v
            a, b = (b - y(i, a)) % self.radix ** m, a
        return numerals(a, self.radix, u) + numerals(b, self.radix, v)

#!/usr/bin/env python3
"""G.711 vectors, computed from the decision values of ITU-T G.711 tables 1a/1b (A-law) and 2a/2b (mu-law), with nothing of ours.

    python3 generate.py > vectors.tsv

Lines: `LAW decode CODE VALUE` for each of the 256 codes, and `LAW encode FIRST CODE`: from this 16-bit sample up to the next line's, CODE.
Values are scaled to 16 bits (A-law: 13 bits times 8; mu-law: 14 bits times 4). Where Python still has audioop, the decoded values and, for
the positive half, the codes are compared with it as well.
"""
import bisect


def decisions(first_step, second_step_at, segments):
    """Decision values of the positive half: 16 intervals in each segment."""
    values, value, step = [], 0, first_step
    for segment in range(segments):
        if segment >= second_step_at:
            step *= 2
        for _ in range(16):
            values.append(value)
            value += step
    values.append(value)
    return values


# A-law: 13 bits, segments 1 and 2 share the step of 2 (in units of 1/4096 of full scale, here in 13-bit units).
A = decisions(2, 2, 8)
assert A[-1] == 4096 and A[32] == 64 and A[112] == 2048
# mu-law: 14 bits; the first interval is half as wide as its neighbours: 0, 1, 3, 5 ... 31, 35 ... 8159.
MU, value, step = [0], 1, 2
for segment in range(8):
    for interval in range(15 if segment == 0 else 16):
        MU.append(value)
        value += step
    step *= 2
MU.append(value)
assert MU[16] == 31 and MU[-1] == 8159 and len(MU) == 129

LAWS = {
    # decisions, 16-bit scale, code of interval n: positive, negative
    "alaw": (A, 8, lambda n: (0x80 | n) ^ 0x55, lambda n: n ^ 0x55),
    "ulaw": (MU, 4, lambda n: 0xFF - n, lambda n: 0x7F - n),
}


def decoded(law, table, n):
    if law == "ulaw" and n == 0:
        return 0
    return (table[n] + table[n + 1]) // 2


for law, (table, scale, positive, negative) in LAWS.items():
    decode = {}
    for n in range(128):
        decode[positive(n)] = decoded(law, table, n) * scale
        decode[negative(n)] = -decoded(law, table, n) * scale
    assert len(decode) == 256
    limits = [value * scale for value in table]

    def encode(sample):
        # A value on a decision value belongs to the outer interval of the positive half and to the inner one of the negative half.
        if sample >= 0:
            return positive(min(127, bisect.bisect_right(limits, sample) - 1))
        return negative(min(127, bisect.bisect_left(limits, -sample) - 1))

    codes = {sample: encode(sample) for sample in range(-32768, 32768)}
    try:
        import warnings

        warnings.simplefilter("ignore")
        import audioop

        expand, compress = (audioop.alaw2lin, audioop.lin2alaw) if law == "alaw" else (audioop.ulaw2lin, audioop.lin2ulaw)
        for code, value in decode.items():
            assert int.from_bytes(expand(bytes([code]), 2), "little", signed=True) == value, (law, code)
        for sample in range(0, 32768):
            assert compress(sample.to_bytes(2, "little"), 2)[0] == codes[sample], (law, sample)
    except ImportError:
        pass
    for code in range(256):
        print(law, "decode", code, decode[code], sep="\t")
    last = None
    for sample in range(-32768, 32768):
        if codes[sample] != last:
            last = codes[sample]
            print(law, "encode", sample, last, sep="\t")

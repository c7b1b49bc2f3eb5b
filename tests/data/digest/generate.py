#!/usr/bin/env python3
"""Digest vectors, computed from the formulas of RFC 7616 sec. 3.4 with hashlib and with nothing of ours.

    python3 generate.py > vectors.tsv

Columns: challenge, username, password, method, uri, body, cnonce, nc (decimal), the username as it is sent, response.
Octets outside of printable ASCII, and %, stand as %XX.
"""
import hashlib
import itertools

HASHES = {
    "MD5": lambda octets: hashlib.md5(octets).hexdigest(),
    "SHA-256": lambda octets: hashlib.sha256(octets).hexdigest(),
    "SHA-512-256": lambda octets: hashlib.new("sha512_256", octets).hexdigest(),
}
ALGORITHMS = [None, "MD5", "MD5-sess", "SHA-256", "SHA-256-sess", "SHA-512-256", "SHA-512-256-sess", "md5", "sha-256-SESS"]
# As it stands in the challenge, and what has to be taken of it.
QOPS = [
    (None, None),
    ('"auth"', "auth"),
    ("auth", "auth"),
    ('"auth,auth-int"', "auth"),
    ('"auth-int, auth"', "auth"),
    ('"auth-int"', "auth-int"),
    ('"token,auth-int"', "auth-int"),
    ('""', None),
]
# realm, nonce, opaque: the octets between the quotes; username, password: plain.
TEXTS = [
    (b"lab.example", b"5f6b9c1e:8f3ad1c40e1f7a2b", None, b"alice", b"secret"),
    (b"testrealm@host.com", b"dcd98b7102dd2f0e8b11d0f600bfb0c093", b"5ccc069c403ebaf9f0171e9517f40e41", b"Mufasa", b"Circle Of Life"),
    (b"base64", b"7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v+==", b"FQhe/qaU925k==", b"1001", b"p:a:s:s"),
    (b'the \\"big\\" one', b'n\\\\once\\"', b'o\\"paque', b"bob", b'pa"ss\\word'),
    (b"a, b=c; d", b"commas,and=equals;", b"nonce=x, qop=y", b"carol", b", "),
    (b"", b"0", b"", b"1", b""),
    (b"B\xfcro M\xfcnchen", b"\xe9t\xe9", None, b"dave", "pässwörd".encode()),
    ("Zürich".encode(), b"utf8", None, "Jäsøn Doe".encode(), "Пароль".encode()),
    (b"quoted user", b"n", None, b'a"b\\c', b"x"),
    (b"colon:realm", b"n:o:n:c:e", b":", b"user@host:5060", b":"),
    (b"long", b"n" * 600, b"o" * 300, b"u" * 80, b"p" * 200),
]
REQUESTS = [
    (b"REGISTER", b"sip:lab.example", b"", b"0a4f113b", 1),
    (b"REGISTER", b"sips:[2001:db8::10]:5061;transport=tcp", b"v=0\r\n\xff", b"f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", 16),
    (b"OPTIONS", b"sip:alice%41@pbx.example.com:5060;lr?x=y", b"body", b"c", 511),
]


def joined(hash_, *parts):
    return HASHES[hash_](b":".join(parts)).encode()


def vector(algorithm, qop_pair, texts, request, userhash):
    realm, nonce, opaque, username, password = texts
    method, uri, body, cnonce, nc = request
    offered, qop = qop_pair
    name = (algorithm or "MD5").upper()
    sess = name.endswith("-SESS")
    hash_ = name.removesuffix("-SESS")

    challenge = b'Digest realm="%s", nonce="%s"' % (realm, nonce)
    if opaque is not None:
        challenge += b', opaque="%s"' % opaque
    if algorithm is not None:
        challenge += b", algorithm=" + algorithm.encode()
    if offered is not None:
        challenge += b", qop=" + offered.encode()
    if userhash:
        challenge += b", userhash=true"

    a1 = joined(hash_, username, realm, password)
    if sess:
        a1 = joined(hash_, a1, nonce, cnonce)
    if qop == "auth-int":
        a2 = joined(hash_, method, uri, joined(hash_, body))
    else:
        a2 = joined(hash_, method, uri)
    if qop is None:
        response = joined(hash_, a1, nonce, a2)
    else:
        response = joined(hash_, a1, nonce, b"%08x" % nc, cnonce, qop.encode(), a2)
    sent = joined(hash_, username, realm) if userhash else username
    return challenge, username, password, method, uri, body, cnonce, str(nc).encode(), sent, response


def written(octets):
    return "".join(chr(o) if 0x20 <= o < 0x7F and o != 0x25 else "%%%02X" % o for o in octets)


def main():
    rows = []
    # Every algorithm with every form of qop, the texts and requests taken in turn; then every text with every algorithm.
    for number, (algorithm, qop) in enumerate(itertools.product(ALGORITHMS, QOPS)):
        texts, request = TEXTS[number % len(TEXTS)], REQUESTS[number % len(REQUESTS)]
        rows.append(vector(algorithm, qop, texts, request, number % 5 == 4))
    for number, (texts, algorithm) in enumerate(itertools.product(TEXTS, ALGORITHMS)):
        rows.append(vector(algorithm, QOPS[number % len(QOPS)], texts, REQUESTS[number % len(REQUESTS)], number % 7 == 6))
    for row in rows:
        print("\t".join(map(written, row)))


main()

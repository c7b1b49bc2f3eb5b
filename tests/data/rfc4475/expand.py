#!/usr/bin/env python3
"""Writes the *.dat files beside this script from transcript.txt, which is in the notation of RFC 4475 sec. 2.1."""
import pathlib
import re

here = pathlib.Path(__file__).parent


def one_line(match):
    """Line ends between <allOneLine> and </allOneLine> are none; white space is kept."""
    return match[1].strip("\n").replace("\n", "")


def octets(match):
    """Two digits an octet; carried through the text as the characters U+0000 to U+00FF."""
    return bytes.fromhex(re.sub(r"\s", "", match[1])).decode("latin-1")


def expand(text):
    text = re.sub(r"<allOneLine>(.*?)</allOneLine>", one_line, text, flags=re.S)
    text = re.sub(r"<repeat count=(\d+)>(.*?)</repeat>", lambda m: m[2] * int(m[1]), text)
    # Octets last and behind the line ends, so that a line feed among them stays one.
    text = text.replace("\n", "\r\n")
    return re.sub(r"<hex>(.*?)</hex>", octets, text, flags=re.S).encode("latin-1")


_, *messages = re.split(r"^== (\w+)\n", (here / "transcript.txt").read_text("ascii"), flags=re.M)
for name, text in zip(messages[::2], messages[1::2]):
    (here / f"{name}.dat").write_bytes(expand(text))

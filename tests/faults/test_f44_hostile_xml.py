"""F44: XML that reads files, calls out, laughs a billion times or wraps another document is refused, and quickly."""

import time
from pathlib import Path

import pytest

from app.agency_xml import DEEPEST, LONGEST_BYTES, MOST_ATTRIBUTES, MOST_ELEMENTS, UnsafeXml, read_xml
from tests.harness.listener import answering, listening

SECRET = "root-of-all-secrets"
MOST_CPU_S = 0.1
LAUGHS = b"".join(b'<!ENTITY l%d "%s">' % (n, b"&l%d;" % (n - 1) * 10) for n in range(1, 10))
HOSTILE = {
    "file": b'<!DOCTYPE a [<!ENTITY x SYSTEM "file://FILE">]><a>&x;</a>',
    "public": b'<!DOCTYPE a [<!ENTITY x PUBLIC "any" "file://FILE">]><a>&x;</a>',
    "http": b'<!DOCTYPE a [<!ENTITY x SYSTEM "http://127.0.0.1:PORT/x">]><a>&x;</a>',
    "dtd outside": b'<!DOCTYPE a SYSTEM "http://127.0.0.1:PORT/x.dtd"><a/>',
    "dtd file": b'<!DOCTYPE a SYSTEM "file://FILE"><a/>',
    "parameter": b'<!DOCTYPE a [<!ENTITY % x SYSTEM "http://127.0.0.1:PORT/x.dtd"> %x;]><a/>',
    "parameter file": b'<!DOCTYPE a [<!ENTITY % x SYSTEM "file://FILE"> %x;]><a/>',
    "laughs": b'<!DOCTYPE a [<!ENTITY l0 "lol">' + LAUGHS + b"]><a>&l9;</a>",
    "blow up": b'<!DOCTYPE a [<!ENTITY x "' + b"x" * 100_000 + b'">]><a>' + b"&x;" * 10_000 + b"</a>",
    "attribute laughs": b'<!DOCTYPE a [<!ENTITY l0 "lol">' + LAUGHS + b']><a b="&l9;"/>',
    "recursion": b'<!DOCTYPE a [<!ENTITY x "&y;"><!ENTITY y "&x;">]><a>&x;</a>',
    "harmless dtd": b"<!DOCTYPE a><a/>",
    "default attribute": b'<!DOCTYPE a [<!ATTLIST a b CDATA "made up">]><a/>',
    "notation": b'<!DOCTYPE a [<!NOTATION n SYSTEM "file://FILE"><!ENTITY x SYSTEM "f" NDATA n>]><a/>',
    "utf-16": '<!DOCTYPE a [<!ENTITY x SYSTEM "file://FILE">]><a>&x;</a>'.encode("utf-16"),
    "undeclared": b"<a>&x;</a>",
    "stylesheet": b'<?xml-stylesheet href="http://127.0.0.1:PORT/x.xsl"?><a/>',
    "deep": b"<a>" * (DEEPEST + 1) + b"</a>" * (DEEPEST + 1),
    "very deep": b"<a>" * 100_000,
    "wide": b"<a>" + b"<b/>" * (MOST_ELEMENTS + 1) + b"</a>",
    "attributes": b"<a " + b" ".join(b'b%d=""' % n for n in range(MOST_ATTRIBUTES + 1)) + b"/>",
    "same attribute": b'<a b="1" b="2"/>',
    "long": b"<a>" + b"x" * LONGEST_BYTES + b"</a>",
    "two documents": b"<a/><a/>",
    "unclosed": b"<a><b></a>",
    "unknown encoding": b'<?xml version="1.0" encoding="utf-7"?><a/>',
    "null": b"<a>\x00</a>",
    "nothing": b"",
    "html": b"<!DOCTYPE html><html><body>502</body></html>",
    "json": b'{"a": 1}',
}


@pytest.mark.parametrize("body", HOSTILE.values(), ids=HOSTILE)
async def test_it_is_refused_quickly_and_reaches_nothing(body: bytes, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    async with listening(answering()) as inside:
        sent = body.replace(b"FILE", str(secret).encode()).replace(b"PORT", str(inside.port).encode())
        began = time.process_time()
        with pytest.raises(UnsafeXml) as refused:
            read_xml(sent)
        assert time.process_time() - began < MOST_CPU_S
        assert SECRET not in str(refused.value)
        assert inside.connections == 0


def test_xinclude_is_text_to_us(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(SECRET)
    include = f'<a xmlns:xi="http://www.w3.org/2001/XInclude"><xi:include href="file://{secret}" parse="text"/></a>'
    root = read_xml(include.encode())
    assert [each.tag for each in root] == ["{http://www.w3.org/2001/XInclude}include"]
    assert SECRET not in "".join(root.itertext())


def test_a_plain_document_is_read() -> None:
    root = read_xml(
        b'<?xml version="1.0" encoding="UTF-8"?><s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/">'
        b'<s:Body a="1" s:b="&lt;2&gt;"><n xmlns="urn:x">Siti &amp; Budi <![CDATA[<3]]></n></s:Body></s:Envelope>'
    )
    soap = "{http://schemas.xmlsoap.org/soap/envelope/}"
    body = root.find(f"{soap}Body")
    assert body is not None
    assert root.tag == f"{soap}Envelope"
    assert body.attrib == {"a": "1", f"{soap}b": "<2>"}
    assert body.findtext("{urn:x}n") == "Siti & Budi <3"


def test_a_wrapped_second_body_is_seen_where_it_stands() -> None:
    """Signature wrapping hides the true body in a header: a path from the root finds the one in its place."""
    wrapped = b"<e><header><body><n>true</n></body></header><body><n>false</n></body></e>"
    root = read_xml(wrapped)
    assert [each.tag for each in root] == ["header", "body"]
    assert root.findtext("./body/n") == "false"
    assert len(root.findall("./body")) == 1

"""Signed notes and verifier keys: what is read, what is refused."""

import base64
from collections.abc import Callable
from hashlib import sha256

import pytest

from tallystick.merkle.notes import (
    COSIGNATURE_V1,
    ED25519,
    MAX_NOTE_SIZE,
    Note,
    NoteError,
    SignatureError,
    SignatureLine,
    VerifiedSignature,
    VerifierKey,
    open_note,
    verify_note,
)

from .signers import Signer, signed

TEXT = b"a text\n\nwith an empty line\n"
LOG = Signer("example.com/log")
OTHER = Signer("example.com/other")
WITNESS = Signer("example.com/witness", COSIGNATURE_V1)
GOOD = signed(TEXT, LOG)
LINE = LOG.sign(TEXT).encode().encode()
BLOB = base64.b64decode(LINE.split(b" ")[2])


def _line(name: str, blob: bytes) -> bytes:
    return f"— {name} {base64.b64encode(blob).decode()}\n".encode()


def test_opens() -> None:
    """A signed note opens: its text up to the last empty line, and who signed it."""
    note, signers = open_note(GOOD, [OTHER.key, LOG.key, WITNESS.key])
    assert (note.text, signers) == (TEXT, [LOG.key])
    assert note.encode() == GOOD


def test_several_signers() -> None:
    """Every known signer is named once, in the order of the lines; a cosignature gives its time."""
    note = Note(TEXT, (WITNESS.sign(TEXT, 7), LOG.sign(TEXT), WITNESS.sign(TEXT, 9), OTHER.sign(TEXT)))
    opened, signers = open_note(note.encode(), iter([LOG.key, WITNESS.key, LOG.key]))
    assert opened == note
    assert signers == [WITNESS.key, LOG.key]
    assert verify_note(note, [WITNESS.key]) == [VerifiedSignature(WITNESS.key, 7), VerifiedSignature(WITNESS.key, 9)]


UNKNOWN_LINES = {
    "another name": _line("example.com/elsewhere", BLOB),
    "another key id": _line(LOG.name, b"\x00\x00\x00\x00" + BLOB[4:]),
    "ML-DSA, as long as it is": _line("example.com/log", b"mlds" + bytes(8 + 2420)),
    "one byte of signature": _line("x", b"idid" + b"\x00"),
    "a name in other scripts": _line("пример.рф/日志", bytes(68)),
}


@pytest.mark.parametrize("line", UNKNOWN_LINES.values(), ids=UNKNOWN_LINES)
def test_unknown_lines_are_ignored(line: bytes) -> None:
    """A line of a key that is not known changes nothing, before or after the good one; alone it is not enough."""
    for note in (GOOD + line, TEXT + b"\n" + line + LINE):
        assert open_note(note, [LOG.key])[1] == [LOG.key]
    with pytest.raises(NoteError, match="no known key"):
        open_note(TEXT + b"\n" + line, [LOG.key])


def test_no_known_keys() -> None:
    """A note that nobody known has signed is refused, though it may be well signed."""
    with pytest.raises(NoteError, match="no known key"):
        open_note(GOOD, [])


def _flip(at: int) -> Callable[[bytes], bytes]:
    return lambda blob: blob[:at] + bytes([blob[at] ^ 1]) + blob[at + 1 :]


BAD_SIGNATURES: dict[str, Callable[[bytes], bytes]] = {
    "first bit": _flip(4),
    "last bit": _flip(67),
    "a byte short": lambda blob: blob[:-1],
    "a byte long": lambda blob: blob + b"\x00",
    "one byte": lambda blob: blob[:5],
    "zeros": lambda blob: blob[:4] + bytes(64),
}


@pytest.mark.parametrize("change", BAD_SIGNATURES.values(), ids=BAD_SIGNATURES)
def test_a_bad_signature_condemns(change: Callable[[bytes], bytes]) -> None:
    """A known key's bad signature condemns the note, whatever good ones stand beside it."""
    bad = _line(LOG.name, change(BLOB))
    good = OTHER.sign(TEXT).encode().encode()
    for note in (TEXT + b"\n" + bad, TEXT + b"\n" + bad + good, TEXT + b"\n" + good + bad, GOOD + bad):
        with pytest.raises(SignatureError):
            open_note(note, [LOG.key, OTHER.key])


MALFORMED = {
    "empty": b"",
    "only a newline": b"\n",
    "only two": b"\n\n",
    "only text": TEXT,
    "no signatures": TEXT + b"\n",
    "no empty line": TEXT.replace(b"\n\n", b"\n") + LINE,
    "an empty line after the signatures": GOOD + b"\n",
    "no newline at the end": GOOD[:-1],
    "text after the signatures": GOOD + b"text\n",
    "carriage returns": GOOD.replace(b"\n", b"\r\n"),
    "a tab": GOOD.replace(b"a text", b"a\ttext"),
    "a NUL": GOOD.replace(b"a text", b"a\x00text"),
    "an escape": GOOD.replace(b"a text", b"a\x1btext"),
    "not UTF-8": GOOD.replace(b"a text", b"a\xfftext"),
    "a surrogate": GOOD.replace(b"a text", b"a\xed\xa0\x80text"),
    "an overlong form": GOOD.replace(b"a text", b"a\xc0\xa0text"),
    "a hyphen for the dash": GOOD.replace("—".encode(), b"-"),
    "an en dash": GOOD.replace("—".encode(), "–".encode()),
    "no space after the dash": GOOD.replace("— ".encode(), "—".encode()),
    "two spaces after the dash": GOOD.replace("— ".encode(), "—  ".encode()),
    "two spaces after the name": GOOD.replace(b"log ", b"log  "),
    "no name": GOOD.replace(b"example.com/log ", b" "),
    "no signature": TEXT + b"\n" + "— name\n".encode(),
    "an empty signature": TEXT + b"\n" + "— name \n".encode(),
    "three words": TEXT + b"\n" + LINE[:-1] + b" more\n",
    "a trailing space": TEXT + b"\n" + LINE[:-1] + b" \n",
    "a key id alone": TEXT + b"\n" + _line("name", b"idid"),
    "less than a key id": TEXT + b"\n" + _line("name", b"idi"),
    "base64 without padding": TEXT + b"\n" + LINE.replace(b"=\n", b"\n"),
    "base64 with stray bits": TEXT + b"\n" + "— name AAAAAAB=\n".encode(),
    "base64 for URLs": TEXT + b"\n" + "— name AAAA____\n".encode(),
    "a plus in the name": TEXT + b"\n" + _line("na+me", BLOB),
    "a no-break space in the name": TEXT + b"\n" + _line("na\u00a0me", BLOB),
    "a line separator in the name": TEXT + b"\n" + _line("na\u2028me", BLOB),
    "a next-line in the name": TEXT + b"\n" + _line("na\u0085me", BLOB),
    "a name of 1,025 bytes": TEXT + b"\n" + _line("n" * 1025, BLOB),
    "101 signatures": TEXT + b"\n" + LINE * 101,
    "a megabyte and a byte": b"x" * (MAX_NOTE_SIZE - len(LINE)) + b"\n\n" + LINE,
    "ten thousand lines": TEXT + b"\n" + b"x\n" * 10_000,
}


@pytest.mark.parametrize("data", MALFORMED.values(), ids=MALFORMED)
def test_malformed(data: bytes) -> None:
    """What is not a note in its one spelling is refused, before and beside a good signature."""
    with pytest.raises(NoteError):
        Note.parse(data)
    with pytest.raises(NoteError):
        open_note(data, [LOG.key])


def test_the_last_empty_line_separates() -> None:
    """An empty line among the signatures makes the earlier ones text, which the later ones have not signed."""
    note = GOOD + b"\n" + LINE
    assert Note.parse(note).text == GOOD
    with pytest.raises(SignatureError):
        open_note(note, [LOG.key])


@pytest.mark.parametrize("count", [16, 100])
def test_many_signatures(count: int) -> None:
    """At least 16 signatures are accepted, and up to 100."""
    note = TEXT + b"\n" + b"".join(_line(f"unknown-{i}", BLOB) for i in range(count - 1)) + LINE
    assert open_note(note, [LOG.key])[1] == [LOG.key]


@pytest.mark.parametrize("text", [b"\n", b"\n\n\n", "— name AAAA\n".encode(), b"a\n\n" + LINE, "Größe\n".encode(), b"\x7f\n"])
def test_odd_texts(text: bytes) -> None:
    """Any text that ends in a newline can be signed, empty lines and signature-like lines included."""
    assert open_note(signed(text, LOG), [LOG.key])[0].text == text


@pytest.mark.parametrize("text", [b"", b"no newline", b"tab\t\n", b"\xff\n", b"x" * MAX_NOTE_SIZE + b"\n"])
def test_texts_refused(text: bytes) -> None:
    """No note is made of a text that could not be read back."""
    with pytest.raises(NoteError):
        Note(text, (SignatureLine.by(LOG.key, bytes(64)),))


def test_notes_without_signatures() -> None:
    """No note is made without a signature, or with more than are read back."""
    for count in (0, 101):
        with pytest.raises(NoteError):
            Note(TEXT, (SignatureLine.by(LOG.key, bytes(64)),) * count)


COSIGNATURES = {
    "time 0": bytes(8),
    "time beyond 2^63 - 1": (2**63).to_bytes(8, "big"),
    "another time": (1_700_000_001).to_bytes(8, "big"),
}


@pytest.mark.parametrize("time", COSIGNATURES.values(), ids=COSIGNATURES)
def test_cosignatures_bind_their_time(time: bytes) -> None:
    """A cosignature holds for the one time that was signed, and none has the time 0 or one beyond 63 bits."""
    blob = WITNESS.sign(TEXT).signature
    assert WITNESS.key.verify(TEXT, blob) == 1_700_000_000
    with pytest.raises(SignatureError):
        WITNESS.key.verify(TEXT, time + blob[8:])


@pytest.mark.parametrize("time_s", [0, 2**63, 2**64 - 1])
def test_cosignatures_at_impossible_times(time_s: int) -> None:
    """A cosignature over an impossible time is refused although the witness made it."""
    with pytest.raises(SignatureError, match="time"):
        WITNESS.key.verify(TEXT, WITNESS.sign(TEXT, time_s).signature)


def test_kinds_are_not_exchangeable() -> None:
    """A signature of one kind is not one of the other, though the key were the same."""
    as_witness = VerifierKey.make(LOG.name, COSIGNATURE_V1, LOG.key.public_key)
    assert as_witness.key_id != LOG.key.key_id
    for blob in (LOG.sign(TEXT).signature, bytes(7) + b"\x01" + LOG.sign(TEXT).signature, b"", bytes(8)):
        with pytest.raises(SignatureError):
            as_witness.verify(TEXT, blob)
    as_log = VerifierKey.make(WITNESS.name, ED25519, WITNESS.key.public_key)
    for blob in (WITNESS.sign(TEXT).signature, WITNESS.sign(TEXT).signature[8:]):
        with pytest.raises(SignatureError):
            as_log.verify(TEXT, blob)


KEY = str(LOG.key)
HEX, BASE64 = KEY.split("+", 2)[1:]

KEYS_REFUSED = {
    "empty": "",
    "a name": "name",
    "no public key": f"{LOG.name}+{HEX}",
    "an empty public key": f"{LOG.name}+{HEX}+",
    "no name": f"+{HEX}+{BASE64}",
    "another name": KEY.replace("log", "lag"),
    "a plus in the name": KEY.replace("log", "l+g"),
    "a space in the name": KEY.replace("log", "l g"),
    "a newline after it": KEY + "\n",
    "a space before it": " " + KEY,
    "another key id": KEY.replace(HEX, "00000000"),
    "the key id in capitals": KEY.replace(HEX, HEX.upper()),
    "a short key id": KEY.replace(HEX, HEX[:-1]),
    "no key id": KEY.replace(HEX, ""),
    "base64 without padding": f"{LOG.name}+{HEX}+{BASE64.rstrip('=')}=",
    "something after the base64": KEY + "AAAA",
    "a long string": "x" * 1_000_000,
    "not UTF-8": KEY.replace("log", "l\udcffg"),
}


@pytest.mark.parametrize("text", KEYS_REFUSED.values(), ids=KEYS_REFUSED)
def test_keys_refused(text: str) -> None:
    """What is not a verifier key in its one spelling is refused."""
    with pytest.raises(NoteError):
        VerifierKey.parse(text)


def test_keys() -> None:
    """A key is written and read in one spelling; the key id differs with name and kind."""
    assert HEX.upper() != HEX, "else the case with capitals tests nothing"
    for signer in (LOG, OTHER, WITNESS):
        assert VerifierKey.parse(str(signer.key)) == signer.key
    assert len({VerifierKey.make(name, kind, LOG.key.public_key).key_id for name in "ab" for kind in (1, 4)}) == 4


def _vkey(kind: int, public_key: bytes, name: str = "name") -> str:
    material = bytes([kind]) + public_key
    key_id = sha256(name.encode() + b"\n" + material).digest()[:4]
    return f"{name}+{key_id.hex()}+{base64.b64encode(material).decode()}"


@pytest.mark.parametrize(
    ("kind", "public_key", "reason"),
    [
        (2, LOG.key.public_key, "kind 2"),
        (5, LOG.key.public_key, "kind 5"),
        (6, bytes(1312), "kind 6"),
        (255, b"", "kind 255"),
        (1, b"", "32 bytes"),
        (1, LOG.key.public_key[:-1], "32 bytes"),
        (1, LOG.key.public_key + b"\x00", "32 bytes"),
        (1, bytes(32), "small order"),
        (4, b"\x01" + bytes(31), "small order"),
        (4, (2**255 - 19).to_bytes(32, "little"), "canonical"),
    ],
)
def test_keys_that_must_not_be_trusted(kind: int, public_key: bytes, reason: str) -> None:
    """Keys of another kind or length, of small order or not canonical are refused, parsed or made."""
    with pytest.raises(NoteError, match=reason):
        VerifierKey.parse(_vkey(kind, public_key))
    with pytest.raises(NoteError, match=reason):
        VerifierKey.make("name", kind, public_key)
    for odd in (256, -1):
        with pytest.raises(NoteError):
            VerifierKey.make("name", odd, public_key)


def test_two_keys_that_cannot_be_told_apart() -> None:
    """Known keys that share name and key id are refused, since the lines would not say whose they are."""
    twin = object.__new__(VerifierKey)  # such a pair takes 2^32 tries to find
    for field in ("name", "key_id", "kind"):
        object.__setattr__(twin, field, getattr(LOG.key, field))
    object.__setattr__(twin, "public_key", OTHER.key.public_key)
    with pytest.raises(NoteError, match="same key id"):
        open_note(GOOD, [LOG.key, twin])


def test_keys_with_another_id() -> None:
    """A key cannot be made with a key id that is not its own."""
    with pytest.raises(NoteError, match="key id"):
        VerifierKey(LOG.name, OTHER.key.key_id, ED25519, LOG.key.public_key)

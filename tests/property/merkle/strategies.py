"""How sound bytes go wrong."""

from hypothesis import strategies as st

PIECES = [
    b"",
    b"\n",
    b"\n\n",
    b" ",
    b"\t",
    b"0",
    b"+",
    b"=",
    b"A",
    b"\x00",
    b"\x7f",
    b"\xff",
    b"\xc2\xa0",
    b"\xe2\x80\xa8",
    b"x",
    b"#",
    b"extra ",
    b"index ",
]


@st.composite
def altered(draw: st.DrawFn, sound: bytes) -> bytes:
    """Arbitrary bytes, or sound ones with pieces replaced, left out, put in or repeated, or a bit flipped."""
    if draw(st.integers(0, 9)) == 0:
        return draw(st.binary(max_size=80))
    for _ in range(draw(st.integers(1, 2))):
        start = draw(st.integers(0, len(sound)))
        stop = draw(st.integers(start, min(len(sound), start + draw(st.sampled_from([0, 1, 3, 40])))))
        if draw(st.booleans()) and start < len(sound):
            flipped = bytes([sound[start] ^ 1 << draw(st.integers(0, 7))])
            sound = sound[:start] + flipped + sound[start + 1 :]
        else:
            piece = draw(st.sampled_from(PIECES) | st.binary(max_size=3) | st.just(sound[start:stop] * 2))
            sound = sound[:start] + piece + sound[stop:]
    return sound

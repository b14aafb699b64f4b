"""Paths of tiles and entry bundles."""

from ..case import STRICT, Case, accept, agree, reject, undecided
from ..reference.tree import tile_path

SPEC = "https://c2sp.org/tlog-tiles"


def _sound() -> list[Case]:
    places = [
        ("0", 0, 256),
        ("0", 0, 1),
        ("0", 0, 255),
        ("0", 999, 256),
        ("0", 1000, 256),
        ("0", 999_999, 7),
        ("0", 1_000_000, 256),
        ("0", 1_234_067, 256),
        ("1", 1_234_067, 8),
        ("2", 17, 17),
        ("9", 0, 10),
        ("10", 0, 100),
        ("63", 0, 256),
        ("entries", 0, 256),
        ("entries", 0, 1),
        ("entries", 273, 112),
        ("entries", 1_234_067, 256),
        ("0", 2**55 - 1, 255),
        ("entries", 2**55 - 1, 256),
    ]
    why = "three digits a group, all but the last with x"
    return [
        accept(tile_path(*place), why, path=tile_path(*place), level=place[0], index=str(place[1]), width=place[2])
        for place in places
    ]


def _broken() -> list[Case]:
    forms = [
        ("", "not a path"),
        ("tile", "not a path"),
        ("tile/", "no level"),
        ("tile/0", "no index"),
        ("tile/0/", "no index"),
        ("tile/0/0", "three digits"),
        ("tile/0/00", "three digits"),
        ("tile/0/0000", "three digits"),
        ("tile/0/1234067", "groups of three"),
        ("tile/0/001/234/067", "all but the last group begin with x"),
        ("tile/0/x001/x234/x067", "the last group has no x"),
        ("tile/0/x001", "the last group has no x"),
        ("tile/0/X001/067", "a small x"),
        ("tile/0/x01/067", "three digits"),
        ("tile/0/x001//067", "no empty elements"),
        ("tile/0/000/", "nothing follows"),
        ("/tile/0/000", "relative to the prefix"),
        ("tile//000", "a level"),
        ("tile/64/000", "levels 0 to 63"),
        ("tile/100/000", "levels 0 to 63"),
        ("tile/-1/000", "levels 0 to 63"),
        ("tile/00/000", "no leading zeros"),
        ("tile/01/000", "no leading zeros"),
        ("tile/+1/000", "a decimal"),
        ("tile/a/000", "a decimal"),
        ("tile/entrie/000", "a level or entries"),
        ("tile/Entries/000", "a level or entries"),
        ("tile/0/abc", "digits"),
        ("tile/0/-01", "digits"),
        ("tile/0/٠٠١", "ASCII digits"),
        ("tile/٠/001", "ASCII digits"),
        ("tile/0/000.p", "a width"),
        ("tile/0/000.p/", "a width"),
        ("tile/0/000.p/0", "widths 1 to 255"),
        ("tile/0/000.p/256", "a full tile's path has no width"),
        ("tile/0/000.p/257", "widths 1 to 255"),
        ("tile/0/000.p/999", "widths 1 to 255"),
        ("tile/0/000.p/01", "no leading zeros"),
        ("tile/0/000.p/-1", "widths 1 to 255"),
        ("tile/0/000.p/1/", "nothing follows"),
        ("tile/0/000.P/1", "a small p"),
        ("tile/0/000p/1", "a dot"),
        ("tile/0/x000.p/1/000", "the width comes last"),
        ("tile/0/000 ", "nothing follows"),
        ("tile/0/000\n", "nothing follows"),
        ("tile/0/../0/000", "no dots"),
        ("tile/0/000?x=1", "nothing follows"),
        ("tile/8/0/000", "tiles are 8 high: no height in the path (Go's checksum database has one)"),
        ("tile/0/%30%30%30", "no escapes"),
        ("checkpoint", "not a tile"),
        ("tile/0/" + "x000/" * 50 + "000", "leading groups of zeros"),
    ]
    cases = [reject(repr(path)[1:-1] or "empty", why, path=path) for path, why in forms]
    cases.append(reject("tile/0/x000/001", "two spellings of index 1", STRICT, path="tile/0/x000/001"))
    return cases


def _open() -> list[Case]:
    return [
        undecided("tile/data/000", "static-ct-api's bundles: the same tree, other entries", path="tile/data/000"),
        undecided("tile/names/000", "an extension of some CT logs", path="tile/names/000"),
        undecided("index 2^55", "no tree of fewer than 2^63 leaves has this tile", path=tile_path("0", 2**55, 256)),
        undecided("level 63 with index 1", "no tree has this tile", path=tile_path("63", 1, 256)),
    ]


def cases() -> list[Case]:
    """Return the cases, checked against a reference that writes back what it reads."""
    every = _sound() + _broken() + _open()
    for case in every:
        agree(case, _read(case["path"]))
    return every


def _read(path: str) -> tuple[str, int, int] | None:
    parts = path.split("/")
    width = 256
    if len(parts) > 1 and parts[-2].endswith(".p"):
        width, parts = int(parts[-1]) if parts[-1].isascii() and parts[-1].isdigit() else 0, [*parts[:-2], parts[-2][:-2]]
    levels = {"entries", *map(str, range(64))}
    if len(parts) < 3 or parts[0] != "tile" or parts[1] not in levels or not 1 <= width <= 256:
        return None
    digits = "".join(parts[2:]).replace("x", "")
    if not (digits.isascii() and digits.isdigit()):
        return None
    place = parts[1], int(digits), width
    return place if tile_path(*place) == path else None

"""A log as tiles (C2SP tlog-tiles): paths, entry bundles, proofs read from tiles, and the builder that appends them."""

from tallystick.merkle.bundles import MAX_ENTRY_SIZE, decode_bundle, encode_bundle
from tallystick.merkle.tile_builder import TileBuilder
from tallystick.merkle.tile_path import ENTRIES, TILE_HEIGHT, TILE_WIDTH, TileError, TilePath
from tallystick.merkle.tile_reading import ReadTile, consistency_proof, frontier, inclusion_proof, read_within, root_hash

__all__ = [
    "ENTRIES",
    "MAX_ENTRY_SIZE",
    "TILE_HEIGHT",
    "TILE_WIDTH",
    "ReadTile",
    "TileBuilder",
    "TileError",
    "TilePath",
    "consistency_proof",
    "decode_bundle",
    "encode_bundle",
    "frontier",
    "inclusion_proof",
    "read_within",
    "root_hash",
]

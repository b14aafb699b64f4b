"""A small sound log in every format, from fixed keys."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.hashing import leaf_hash
from tallystick.merkle.notes import COSIGNATURE_V1, ED25519, Note, SignatureLine, VerifierKey, cosignature_message
from tallystick.merkle.proof_files import ProofFile
from tallystick.merkle.receipts import ConsistencyReceipt, InclusionReceipt, ReceiptKey
from tallystick.merkle.signed_roots import RootHeader, SignedRoot
from tallystick.merkle.tiles import TileBuilder, TilePath, consistency_proof, inclusion_proof, root_hash

ORIGIN = "example.com/log"
TIME_S = 1_700_000_000
LOG, WITNESS, RECEIPTS = (Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32) for seed in (1, 2, 3))
PUBLIC_KEYS = [
    Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32).public_key().public_bytes_raw() for seed in range(10, 20)
]
KEY = VerifierKey.make(ORIGIN, ED25519, LOG.public_key().public_bytes_raw())
WITNESS_KEY = VerifierKey.make("example.com/witness", COSIGNATURE_V1, WITNESS.public_key().public_bytes_raw())
RECEIPT_KEY = ReceiptKey(ORIGIN, RECEIPTS.public_key().public_bytes_raw())

ENTRIES = [b"entry %d" % number for number in range(13)]
LEAVES = [leaf_hash(entry) for entry in ENTRIES]
SIZE, OLD_SIZE, INDEX = 13, 7, 5
_TILES: dict[TilePath, bytes] = {}
_builder = TileBuilder()
for _leaf in LEAVES:
    _TILES |= _builder.append([_leaf])
read_tile = _TILES.__getitem__
ROOT, OLD_ROOT = _builder.root(), root_hash(OLD_SIZE, read_tile)

TEXT = Checkpoint(ORIGIN, SIZE, ROOT).encode()
NOTE = Note(
    TEXT,
    (
        SignatureLine.by(KEY, LOG.sign(TEXT)),
        SignatureLine.by(WITNESS_KEY, WITNESS.sign(cosignature_message(TEXT, TIME_S)), TIME_S),
    ),
).encode()
POLICY = (
    f"log {KEY} https://log.example/\nwitness clock {WITNESS_KEY}\ngroup all-of-them 1 clock\nquorum all-of-them\n".encode()
)

PATH = tuple(inclusion_proof(INDEX, SIZE, read_tile))
PROOF_FILE = ProofFile(INDEX, PATH, NOTE).encode()
PROOF_FILE_WITH_EXTRA = ProofFile(INDEX, PATH, NOTE, ENTRIES[INDEX]).encode()

_header = RootHeader(ORIGIN, SIZE, RECEIPT_KEY.key_id)
SIGNED_ROOT = SignedRoot(_header, RECEIPTS.sign(_header.signing_input(ROOT)))
INCLUSION = InclusionReceipt(SIGNED_ROOT, INDEX, PATH).encode()
CONSISTENCY = ConsistencyReceipt(SIGNED_ROOT, OLD_SIZE, tuple(consistency_proof(OLD_SIZE, SIZE, read_tile))).encode()

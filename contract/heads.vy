# pragma version 0.4.3
# pragma evm-version paris
"""
@title Heads of append-only logs
@license Apache-2.0
@notice Keeps the newest head (size and root) of each log, and says so in an event. Whoever claims an origin owns it; only
        the owner posts, and may offer it to somebody else, who must accept. A head never becomes smaller, and one size has
        one root for ever. Nobody stands above the owners: nothing here can be paused, changed or withdrawn.
@dev An origin is SHA-256 of the log's name. A head that is already there is passed over, so that a batch may be sent again.
     Deliberately built for an old EVM (paris), so that any chain runs it.
"""

MAX_HEADS: constant(uint256) = 64
MAX_NAME: constant(uint256) = 255

struct Head:
    origin: bytes32
    size: uint64
    root: bytes32

event Claimed:
    origin: indexed(bytes32)
    owner: indexed(address)
    name: String[MAX_NAME]

event Offered:
    origin: indexed(bytes32)
    recipient: indexed(address)

event Transferred:
    origin: indexed(bytes32)
    owner: indexed(address)

event Anchored:
    origin: indexed(bytes32)
    size: uint64
    root: bytes32

# owner << 64 | size: one slot, for each is read and one is written with every head
_owned: HashMap[bytes32, uint256]
_roots: HashMap[bytes32, bytes32]
_offered: HashMap[bytes32, address]


@external
def claim(name: String[MAX_NAME]):
    """
    @notice Own the log of this name, if nobody does yet. Verifiers compare roots: a stranger who claims it only stands in the way.
    """
    origin: bytes32 = sha256(name)
    assert self._owned[origin] == 0, "claimed already"
    self._owned[origin] = convert(msg.sender, uint256) << 64
    log Claimed(origin=origin, owner=msg.sender, name=name)


@external
def offer(origin: bytes32, recipient: address):
    """
    @notice Offer a log to somebody, in place of any offer before; the zero address takes the offer back.
    """
    assert self._owner(self._owned[origin]) == msg.sender, "not the owner"
    self._offered[origin] = recipient
    log Offered(origin=origin, recipient=recipient)


@external
def accept(origin: bytes32):
    """
    @notice Own a log that was offered; its head stays.
    """
    assert self._offered[origin] == msg.sender, "not offered"
    self._offered[origin] = empty(address)
    self._owned[origin] = convert(msg.sender, uint256) << 64 | self._owned[origin] & convert(max_value(uint64), uint256)
    log Transferred(origin=origin, owner=msg.sender)


@external
def anchor(heads: DynArray[Head, MAX_HEADS]):
    """
    @notice Post heads, all or none.
    """
    for head: Head in heads:
        owned: uint256 = self._owned[head.origin]
        size: uint64 = self._size(owned)
        assert self._owner(owned) == msg.sender, "not the owner"
        assert head.size >= size, "smaller than the head"
        if head.size == size:
            assert head.root == self._roots[head.origin], "another root for this size"
            continue
        self._owned[head.origin] = owned + convert(head.size - size, uint256)
        self._roots[head.origin] = head.root
        log Anchored(origin=head.origin, size=head.size, root=head.root)


@external
@view
def owner(origin: bytes32) -> address:
    """
    @notice Who may post; the zero address if nobody has claimed the origin.
    """
    return self._owner(self._owned[origin])


@external
@view
def offered(origin: bytes32) -> address:
    """
    @notice Whom the log is offered to; the zero address if nobody.
    """
    return self._offered[origin]


@external
@view
def head(origin: bytes32) -> (uint64, bytes32):
    """
    @notice The newest head: size and root, both zero before the first.
    """
    return self._size(self._owned[origin]), self._roots[origin]


@internal
@pure
def _owner(owned: uint256) -> address:
    return convert(owned >> 64, address)


@internal
@pure
def _size(owned: uint256) -> uint64:
    return convert(owned & convert(max_value(uint64), uint256), uint64)

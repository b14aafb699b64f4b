"""The gate: no unlogged model or policy scores, nor one that was superseded.

Reads the whole governance log, recomputes its root, checks the checkpoint's signatures and its freshness, replays the entries
under the trust policy, and only then loads the models that it allows.
"""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace

from tallystick.contracts import Decision
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.frontier import Frontier
from tallystick.merkle.hashing import leaf_hash
from tallystick.rules.language import RuleError
from tallystick.rules.lists import ListError, MemberList, list_key
from tallystick.rules.policies import Policy
from tallystick.runtime.log_reader import LogReader
from tallystick.scoring.activations import Active, Actives
from tallystick.scoring.challengers import Challenger, Challengers, Term, terms
from tallystick.scoring.model import Model, ModelError
from tallystick.scoring.records import Limits
from tallystick.scoring.settings import ScoringSettings
from tallystick.scoring.vectors import Vectoriser
from tallystick.trust.erasures import erased_keys
from tallystick.trust.features import FeatureSchema
from tallystick.trust.governance import Governance, VerifiedActivation
from tallystick.trust.governance import replay as replay_governance
from tallystick.trust.incidents import SignedIncident
from tallystick.trust.policy import TrustPolicy, log_name
from tallystick.trust.records import CHALLENGER, CHAMPION

_log = logging.getLogger(__name__)


class GateError(ValueError):
    """The governance log, or a model's file, is not what it must be."""


class Gate:
    """What the governance log allows, as far as it was verified; `erased` are the ids of the keys that it says are destroyed.

    Args:
        settings: where the log and the models are.
        policy: whose signatures count.
        clock: seconds since 1970, for the log's freshness.
        lookup_key: gives the key from which those of policies' lists are made.
    """

    def __init__(
        self, settings: ScoringSettings, policy: TrustPolicy, clock: Callable[[], float], lookup_key: Callable[[], bytes]
    ) -> None:
        self._settings = settings
        self._policy = policy
        self._log_policy = policy.log_policy
        self._clock = clock
        self._lookup_key = lookup_key
        self._reader = LogReader(settings.log_part(log_name(policy.governance_origin)), settings)
        self._entries: list[bytes] = []
        self._frontier = Frontier()
        self._fresh_s = 0.0
        self.actives = Actives()
        self.incidents: tuple[SignedIncident, ...] = ()
        self.erased: frozenset[bytes] = frozenset()

    @property
    def size(self) -> int:
        """Size of the governance log up to which everything is verified."""
        return self._frontier.size

    def closed(self) -> str | None:
        """Return in words why nothing may be scored now, None if it may."""
        age_s = self._clock() - self._fresh_s
        if age_s < -self._policy.freshness.max_age_s:
            return f"the governance log was cosigned {-age_s:.0f} s from now: a clock is wrong, and it would never grow old"
        if age_s > self._policy.freshness.max_age_s:
            if not self._fresh_s:
                return "the governance log is not verified yet"
            return f"the governance log is {age_s:.0f} s old, {self._policy.freshness.max_age_s} s are allowed"
        if not self.actives.activations:
            return "the governance log activates no model yet"
        return None

    def decided_under(self, decision: Decision, where: str) -> Active:
        """Return the activation that a decision names; `where` says whose decision it is, for people.

        Nothing may be scored by a log that lacks it, not even other partitions: the log is older than what was seen before this
        process started, or another one.

        Raises:
            GateError: the log, as far as it is read, has no such activation.
        """
        index = decision.activation_index
        active = self.actives.by_index(index)
        if active is None:
            raise GateError(
                f"{where} was decided under the activation at {index}, which the governance log of {self.size} entries does not"
                " have: it was rolled back, or what serves it is behind"
            )
        if decision.policy_digest != active.policy_digest or decision.model_digest not in (b"", active.model_digest):
            raise GateError(
                f"{where} was decided under another activation at {index} than the governance log has: the log was forked"
            )
        return active

    async def refresh(self) -> None:
        """Read what is new in the log, verify it and load the models that it allows.

        Raises:
            GateError: a signature, a hash, an order or a file is wrong; what was verified before stays, and goes stale.
            OSError: the log or a model cannot be read; try again.
        """
        try:
            checkpoint, fresh_s = await self._verified_checkpoint()
            if checkpoint.size > self.size:
                await self._follow(checkpoint)
        except GateError:
            raise
        except ValueError as error:  # a truncated tile, a feature schema that is none
            raise GateError(f"the governance log cannot be followed: {error}") from error
        self._fresh_s = max(self._fresh_s, fresh_s)

    async def close(self) -> None:
        """Close the connections."""
        await self._reader.close()

    async def _verified_checkpoint(self) -> tuple[Checkpoint, float]:
        origin = self._policy.governance_origin
        try:
            verified = self._log_policy.verify_checkpoint(await self._reader.checkpoint(), origin)
        except OSError:
            raise
        except ValueError as error:
            raise GateError(f"the governance checkpoint is refused: {error}") from error
        checkpoint = verified.checkpoint
        if checkpoint.size < self.size:
            raise GateError(f"the governance log was rolled back from {self.size} to {checkpoint.size} entries")
        if checkpoint.size == self.size and checkpoint.root != self._frontier.root():
            raise GateError(f"the governance log was forked: there are two trees of {checkpoint.size} entries")
        return checkpoint, self._policy.freshness.time_s(verified) or 0

    async def _follow(self, checkpoint: Checkpoint) -> None:
        added = await self._reader.entries(self.size, checkpoint.size, checkpoint.size)
        frontier = self._frontier.copy()
        frontier.append([leaf_hash(entry) for entry in added])
        if frontier.root() != checkpoint.root:
            raise GateError(f"the governance log's entries do not lead to its checkpoint of {checkpoint.size} entries")
        entries = [*self._entries, *added]
        # In threads, like all that takes long here: decisions are made meanwhile.
        governance = await asyncio.to_thread(replay_governance, entries, self._policy)
        known = len(self._entries)
        for index, reason in governance.rejected:
            if index >= known:
                _log.warning("governance entry %d has no effect: %s", index, reason)
        loaded: list[Active] = []
        for activation in governance.activations:
            if activation.slot == CHAMPION:
                active = self.actives.by_index(activation.index)
                loaded.append(active if active is not None else await asyncio.to_thread(self._load, activation))
        challengers = await self._challengers(governance)
        self._entries, self._frontier, self.actives = entries, frontier, Actives(tuple(loaded), challengers)
        self.incidents, self.erased = governance.incidents, erased_keys(governance.erasures)
        # From here on a retired key makes this log no longer, whoever has it.
        self._log_policy = governance.log_keys.with_retired(self._policy.log_policy)
        for active in loaded:
            if active.index >= known:
                _log.info("activation %d is verified: model %s", active.number, active.model_digest.hex())

    async def _challengers(self, governance: Governance) -> Challengers:
        """Return the challengers; one that cannot be loaded is said to be broken, and is in nobody's way."""
        before = {one.index: one for one in self.actives.challengers.known}
        broken, known = dict(self.actives.challengers.broken), list[Challenger]()
        for term in terms(one for one in governance.activations if one.slot.startswith(CHALLENGER)):
            index = term.activation.index
            if (one := before.get(index)) is not None:
                known.append(replace(one, to_ms=term.to_ms))
            else:
                try:
                    known.append(await asyncio.to_thread(self._load_challenger, term))
                    broken.pop(index, None)
                except Exception as error:  # noqa: BLE001 - whatever is wrong with it, decisions go on without it
                    broken[index] = str(error) or type(error).__name__
                    _log.warning("challenger %s at %d is not asked: %s", term.activation.slot, index, broken[index])
        return Challengers(tuple(known), broken)

    def _load_challenger(self, term: Term) -> Challenger:
        activation = term.activation
        schema = FeatureSchema.parse(activation.model.feature_schema)
        model = self._model(activation, len(schema.features))
        return Challenger(activation.index, activation.slot, term.from_ms, term.to_ms, model, schema.digest)

    def _model(self, activation: VerifiedActivation, features: int) -> Model:
        path = self._settings.model_path(activation.model_digest)
        try:
            model = Model(path.read_bytes(), activation.model_digest, features)
        except ModelError as error:
            raise GateError(f"{path.name} is refused: {error}") from error
        model.warm_up()
        return model

    def _policy_of(self, activation: VerifiedActivation, features: Sequence[str]) -> Policy:
        lists = []
        try:
            for stated in activation.policy.lists:
                file = self._settings.list_path(stated.digest).read_bytes()
                lists.append(MemberList(stated, file, list_key(self._lookup_key(), stated.salt)))
            return Policy(activation.policy, features, lists)
        except (RuleError, ListError) as error:
            raise GateError(f"the policy {activation.policy_digest.hex()} is refused: {error}") from error

    def _load(self, activation: VerifiedActivation) -> Active:
        vectoriser = Vectoriser(FeatureSchema.parse(activation.model.feature_schema))
        model = self._model(activation, len(vectoriser.schema.features))
        return Active(
            index=activation.index,
            number=activation.number,
            effective_at_ms=activation.effective_at_ms,
            model=model,
            model_digest=activation.model_digest,
            vectoriser=vectoriser,
            policy=self._policy_of(activation, vectoriser.schema.names),
            policy_digest=activation.policy_digest,
            limits=Limits(activation.policy.max_value_bytes, activation.policy.event_time_tolerance_ms),
        )

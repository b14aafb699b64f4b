"""`tallystick provision`: makes in Kafka, Vault and PostgreSQL what the services need, and the trust policy that follows.

The same for the embedded stack, compose and Kubernetes, and safe to run again: what exists is checked and kept. As a library:

    result = await provision(ProvisionPlan(...))
"""

from tallystick.cli.provision.anchorers import Authority, ContractPin
from tallystick.cli.provision.command import add_arguments, run
from tallystick.cli.provision.errors import ProvisionError
from tallystick.cli.provision.plan import SERVICES, Provisioned, ProvisionPlan, provision
from tallystick.cli.provision.policy import SealerKey, SignerKey
from tallystick.cli.provision.witnesses import Witness, Witnesses

__all__ = [
    "SERVICES",
    "Authority",
    "ContractPin",
    "ProvisionError",
    "ProvisionPlan",
    "Provisioned",
    "SealerKey",
    "SignerKey",
    "Witness",
    "Witnesses",
    "add_arguments",
    "provision",
    "run",
]

"""A service imports at its start what it needs."""

import subprocess
import sys

import pytest

from tallystick.runtime.lean_import import hidden


def test_what_is_only_installed_beside_is_not_imported() -> None:
    """XGBoost's optional wrappers are left out, and with them scikit-learn and all that it brings."""
    asked = "import sys, tallystick.scoring.model as m; print(m.xgboost.__version__, 'sklearn' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert answer.stdout.split()[1] == "False"


@pytest.mark.parametrize("service", ["audit", "gateway", "notary", "profiles", "scoring"])
def test_no_service_imports_what_draws_on_terminals(service: str) -> None:
    """What httpx would import for a command of its own is left out: rich and pygments."""
    asked = f"import sys, tallystick.{service}.main; print('httpx' in sys.modules, 'rich' in sys.modules)"
    answer = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True)
    assert answer.stdout.split() == ["True", "False"]


def test_it_can_be_imported_afterwards() -> None:
    """The module is hidden inside the block only."""
    name = "this"
    sys.modules.pop(name, None)
    with pytest.raises(ImportError), hidden(name):
        __import__(name)
    assert name not in sys.modules
    sys.modules[name] = sys
    try:
        with hidden(name):
            assert sys.modules[name] is sys
    finally:
        del sys.modules[name]

"""Build every kustomization and validate each document, offline and strictly.

    python -m k8s.validate            # base and every overlay
    python -m k8s.validate FOLDER ... # these kustomizations only

A document is good if Kubernetes' own schemas, with nothing unknown allowed, accept it on the oldest and on the newest version
that we stand for (an unknown kind is a failure, not a warning), if what it points at is there, and if its containers are
locked down as `rules` says.
"""

import functools
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml
from k8s import rules

ROOT = Path(__file__).resolve().parent
KUBECTL = Path(sys.executable).with_name("kubectl")  # the locked one, whatever else is installed
VERSIONS = ("1.30", "1.37")
Document = dict[str, Any]


class BuildError(Exception):
    """A kustomization cannot be built."""


def kustomizations(root: Path = ROOT) -> list[Path]:
    """Return what somebody would apply: the base, the overlays, and a sealer by itself."""
    files = ("base/kustomization.yaml", "base/sealer/kustomization.yaml", "overlays/*/kustomization.yaml")
    return sorted(path.parent for pattern in files for path in root.glob(pattern))


def build(folder: Path) -> list[Document]:
    """Return a kustomization's documents, as `kubectl apply -k` would send them. Raises BuildError."""
    command = [str(KUBECTL), "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603  the folder is the caller's own
    if done.returncode != 0 or done.stderr.strip():  # kustomize says on stderr, and only there, that a field is deprecated
        raise BuildError(done.stderr.strip())
    return [document for document in yaml.safe_load_all(done.stdout) if document]


def name(document: Document) -> str:
    """Return how people call a document: `Deployment/scoring`."""
    return f"{document.get('kind', '?')}/{document.get('metadata', {}).get('name', '?')}"


def schema_problems(document: Document) -> Iterator[str]:
    """Say where a document breaks Kubernetes' schemas; an unknown kind is a problem as well."""
    for version in VERSIONS:
        # Overlays repeat most of the base, and loading a schema takes long.
        if problem := _schema_problem(json.dumps(document, sort_keys=True), version):
            yield f"{name(document)}: {problem} (Kubernetes {version})"


@functools.cache
def _schema_problem(document: str, version: str) -> str | None:
    try:
        kubernetes_validate.validate(json.loads(document), version, strict=True)
    except kubernetes_validate.ValidationError as error:
        return f"{'.'.join(str(step) for step in error.path) or 'the document'}: {error.message}"
    except (kubernetes_validate.utils.SchemaNotFoundError, kubernetes_validate.utils.VersionNotSupportedError) as error:
        return str(error.message)
    except KeyError as error:
        return f"has no {error.args[0]}"
    return None


def problems(documents: Sequence[Document]) -> list[str]:
    """Return everything that is wrong with one built kustomization, in sentences."""
    schema = [problem for document in documents for problem in schema_problems(document)]
    # The rules may rely on the shapes that the schemas promise.
    return schema or list(rules.problems(documents))


def main(arguments: Sequence[str]) -> int:
    """Validate and report; 0 if all is good, else 1."""
    failures = 0
    for folder in [Path(argument) for argument in arguments] or kustomizations():
        try:
            documents = build(folder)
            found = problems(documents)
        except BuildError as error:
            documents, found = [], [str(error)]
        for problem in found:
            print(f"{folder.name}: {problem}", file=sys.stderr)
        failures += len(found)
        print(f"k8s: {folder.name}: {len(documents)} documents, {len(found) or 'no'} problems")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

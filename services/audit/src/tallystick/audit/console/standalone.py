"""The verifier as one HTML file: no other file, no network, and the same bytes wherever it is made.

    python -m tallystick.audit.console.standalone > verifier.html

An auditor takes it from somewhere else than the bank, or compares its SHA-256 with one from somewhere else, and has a verifier
that the bank cannot change. Its own Content-Security-Policy lets nothing run but the script in it and lets it reach no network.
"""

import base64
import hashlib
import re
import sys
from functools import cache
from importlib.resources import files

from tallystick.audit.console.pages import TEMPLATES

MODULES = ("records.mjs", "verify.mjs", "panel.mjs")
"""In the order in which they need each other."""
_IMPORT = re.compile(r"^import [^;]*;\n", re.MULTILINE)


def static(name: str) -> str:
    """Return a file that is served as it is."""
    return (files("tallystick.audit.console") / "static" / name).read_text(encoding="utf-8")


@cache
def standalone() -> bytes:
    """Return the file."""
    script = "\n" + "".join(_IMPORT.sub("", static(name)) for name in MODULES)
    style = "\n" + static("style.css")
    html = TEMPLATES.get_template("standalone.html").render(script=script, style=style, policy=policy(script, style))
    return html.encode()


def policy(script: str, style: str) -> str:
    """Return the Content-Security-Policy under which exactly this script and style count, and nothing is fetched."""
    return (
        f"default-src 'none'; script-src '{_source(script)}'; style-src '{_source(style)}'; base-uri 'none'; form-action 'none'"
    )


def digest() -> str:
    """Return the file's SHA-256, in hex."""
    return hashlib.sha256(standalone()).hexdigest()


def _source(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


if __name__ == "__main__":
    sys.stdout.buffer.write(standalone())

"""`tallystick export`: everything about some decisions in one file, an audit package, for whoever has nothing but a verifier.

`selecting` says which decisions, `gathering` asks the audit service for what belongs to them, `writing` makes the files,
`command` does one after the other and verifies what it wrote.
"""

from tallystick.cli.export.command import add_arguments, run

__all__ = ["add_arguments", "run"]

"""`tallystick replay`: decisions executed again, from their evidence and the models' files, down to the margins' bits.

Two engines: XGBoost, which made them, and an evaluator of our own, which will still run when that XGBoost does not.

`single` is one bundle. `ranges` is every decision of a time, by columns: `reading` gives a log's entries, `shapes` and
`decided` make columns of them, `evidence_api` and `evidence_file` have what is `opened`, `governing` has models and lists,
`executing` computes and compares. From the transactions themselves `raw` compares features that `history` computes of a
customer's, and `profiled` those that `places` computes of everybody's at a terminal or merchant (`profile_topics` reads them).
"""

from tallystick.cli.replay.command import add_arguments, run
from tallystick.cli.replay.trees import Trees, TreesError

__all__ = ["Trees", "TreesError", "add_arguments", "run"]

"""`make bench`: how fast it is, each figure beside a limit or a peer measured in the same run."""

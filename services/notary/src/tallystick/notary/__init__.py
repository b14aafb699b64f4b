"""The logs' only writer: appends, commits, signs, publishes."""

"""From margins and a policy to outcomes and their reasons, by column."""

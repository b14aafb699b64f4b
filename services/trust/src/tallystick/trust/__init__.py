"""From bytes and a trust policy to verified objects: governance, decisions, bundles."""

"""The peers' apps: the same features, model and topics as scoring's, in other frameworks. See README.md."""

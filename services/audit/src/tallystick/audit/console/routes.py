"""All routes of the console."""

from tallystick.audit.console import decisions, governance, nowhere, overview, session, verifying

# What is nowhere else comes last.
PAGES = (overview.router, session.router, decisions.router, governance.router, verifying.router, nowhere.router)

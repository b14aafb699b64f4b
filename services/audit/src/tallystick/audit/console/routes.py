"""All routes of the console."""

from tallystick.audit.console import decisions, governance, overview, session, verifying

PAGES = (overview.router, session.router, decisions.router, governance.router, verifying.router)

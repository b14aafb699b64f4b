"""Its fixtures end with it: to pytest a folder without this file is a part of the session."""

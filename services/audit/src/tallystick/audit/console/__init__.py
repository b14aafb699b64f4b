"""The auditors' console: pages for people under `/console/`, rendered here, that call what the API calls and never its HTTP.

`pages` renders and refuses, `session` knows who reads, `decisions`, `overview`, `governance` and `verifying` are the routes.
Pure: `charts` (SVG), `telling` (what a page says), `markdown` (model cards), `standalone` (the verifier as one file).

Nothing on these pages has to be believed: `static/verify.mjs` verifies a decision in the reader's browser, against a trust
policy that the reader brought along. What is left out: whatever would change anything. The console only shows.
"""

"""The HTTP side: thin routers, problem details, the OpenAPI document. What is answered is decided elsewhere."""

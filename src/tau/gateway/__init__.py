"""The gateway: what a browser, a script and a monitor can ask about a store, and its controls."""

"""Contract suites for plug-in authors: subclass one, and your plug-in is held to its port."""

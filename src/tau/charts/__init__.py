"""Pictures as SVG text, made by pure functions for reports and the dashboard alike."""

"""The demo's past: two years of cases that never were, written in bulk so that officers' pages show something."""

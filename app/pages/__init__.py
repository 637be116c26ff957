"""The frame every page stands in: one environment, one stylesheet, one layout. docs/pages.md says how to add a page."""

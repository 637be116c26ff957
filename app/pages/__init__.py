"""The frame that every page stands in: one environment, one stylesheet, one layout. How to add a page: docs/pages.md."""

"""One folder per backend that an agency already runs, found by its manifest.toml."""

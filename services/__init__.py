"""One folder per service module, found by its manifest.toml."""

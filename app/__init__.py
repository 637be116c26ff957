"""The single window: what every service module shares. Knows no service and no backend by name."""

"""The whole city at a glance: agencies side by side, services by maturity, the register of services."""

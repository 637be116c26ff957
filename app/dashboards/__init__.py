"""Pages and figures of officers after login, and the same over HTTP for agencies' own dashboards."""

"""The sample service: tenants own projects. A fork replaces this folder."""

"""The sample resource: tenants own projects. A fork replaces this folder."""

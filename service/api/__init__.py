"""The routes, one file a resource. Each calls one method of the port; ``problems`` turns every error into one shape."""

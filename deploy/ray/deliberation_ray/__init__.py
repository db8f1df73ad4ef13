"""The Ray Serve application that runs the turns of deliberations."""

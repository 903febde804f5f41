"""Checks of what is between Lambda functions and a database, over the templates that CDK synthesizes. See README.md."""

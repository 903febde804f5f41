"""What the workflows in .github run around the CDK CLI. See docs/deployment.md."""

"""The infrastructure, in layers: app -> stage -> stacks -> constructs -> config."""

"""docs/runbook.md and docs/environments/, made from the environments' own numbers: `python -m stacks.runbook`."""

"""What benchmarks/synth.py compares our checks with: every environment of the project, validated by CDK alone."""

import os

os.environ.setdefault("NODE_OPTIONS", "--v8-pool-size=1")  # as app.py does

from aws_cdk import App

from stacks.environments import ENVIRONMENTS
from stacks.stage import EnvironmentStage

if __name__ == "__main__":
    app = App(analytics_reporting=False)
    for each in ENVIRONMENTS:
        EnvironmentStage(app, environment=each)
    app.synth()

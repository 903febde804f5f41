"""What benchmarks/synth.py compares our checks with: every environment of the project, validated by CDK alone."""

from aws_cdk import App

from stacks.environments import ENVIRONMENTS
from stacks.stage import EnvironmentStage

if __name__ == "__main__":
    app = App(analytics_reporting=False)
    for each in ENVIRONMENTS:
        EnvironmentStage(app, environment=each)
    app.synth()

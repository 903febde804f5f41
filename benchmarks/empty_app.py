"""The baseline of benchmarks/synth.py: as many stages as the project, of as many stacks, with as good as nothing in it.

`python -m benchmarks.empty_app dev staging prod` makes a stage of each name. CDK's own validation is on, as it is for
everybody; nothing else is.
"""

import sys

from aws_cdk import App, CfnWaitConditionHandle, Stack, Stage

STACKS = ("Data", "Service")  # of every stage of the project


def build(names: list[str]) -> App:
    """An app of empty stages with these names."""
    app = App(analytics_reporting=False)
    for name in names:
        stage = Stage(app, name)
        for stack in STACKS:
            CfnWaitConditionHandle(Stack(stage, stack), "Nothing")  # CDK's validation wants one resource
    return app


if __name__ == "__main__":
    build(sys.argv[1:]).synth()

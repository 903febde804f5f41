"""The function in TypeScript on Prisma (lambda_src/prisma). docs/options/prisma.md says when to choose it."""

import shutil
from typing import Any

import jsii
from aws_cdk import AssetHashType, BundlingOptions, DockerImage, ILocalBundling
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from stacks.bundling import Shipped
from stacks.config import Environment
from stacks.options.prisma.build import SOURCE, built, content_hash
from stacks.refusal import refuse

RUNTIME = "nodejs24.x"
CONNECT_TIMEOUT_SECONDS = 3  # at least
STORES = ("RdsPostgres", "Neon", "Accelerate")  # the function knows what to do with their proxy or URL


def shipped(_scope: Construct, environment: Environment[Any], _handler: str) -> Shipped:
    """The function on Prisma. CDK asks for its code only when the hash is a new one."""
    refuse(environment.name, [_store_problem(environment), _patience_problem(environment)])
    code = lambda_.Code.from_asset(
        str(SOURCE),
        asset_hash=content_hash(),
        asset_hash_type=AssetHashType.CUSTOM,
        bundling=BundlingOptions(image=DockerImage.from_registry("unused"), local=_Local()),
    )
    return Shipped(code, lambda_.Runtime(RUNTIME, lambda_.RuntimeFamily.NODEJS), "index.handler")


def _store_problem(environment: Environment[Any]) -> str | None:
    store = environment.store
    if type(store).__name__ not in STORES:
        return (
            f"api.runtime is 'prisma' and store is {type(store).__name__}, allowed is {' or '.join(STORES)}: "
            "change one of the two"
        )
    if getattr(store, "mode", None) == "http":
        return (
            "api.runtime is 'prisma' and store.mode is 'http', allowed is 'connection': Prisma keeps a WebSocket open"
        )
    return None


def _patience_problem(environment: Environment[Any]) -> str | None:
    given, least = environment.api.connect_timeout_seconds, CONNECT_TIMEOUT_SECONDS
    if given >= least:
        return None
    return (
        f"api.runtime is 'prisma' and api.connect_timeout_seconds is {given}, allowed is {least} to 5: Node.js has "
        f"more steps to connect; set it to {least}, and api.deadline_seconds to {least + 1}"
    )


@jsii.implements(ILocalBundling)
class _Local:
    def try_bundle(self, output_dir: str, *_options: object, **_more: object) -> bool:
        """Called by CDK with an empty directory. True, or an error: there is no Docker image to fall back to."""
        shutil.copytree(built(), output_dir, dirs_exist_ok=True)
        return True

"""The local AWS as its users see it: an account, a region, an endpoint."""

import json
import os
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import boto3
import psutil
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import BotoCoreError, ClientError

from lambda_src.database import iam_token
from local.up.steps import StepFailed
from stacks.config import Environment
from stacks.environments import LOCAL

ACCOUNT = "000000000000"
HEALTH_SECONDS = 40
API_HANDLER = "lambda_src.handler.handler"
ACCESS_KEY, SECRET = "test", "test"  # the emulator's administrator


class Account:
    """The account that the emulator on a loopback port stands for, in the region of an environment."""

    def __init__(self, port: int, state: Path, environment: Environment[Any] = LOCAL) -> None:
        self.port = port
        self.endpoint = f"http://127.0.0.1:{port}"
        self.region = environment.region
        self.prefix = environment.prefix
        self.outputs_file = state / "outputs.json"
        self.state = state

    def client(self, service: str) -> Any:
        """A boto3 client for the account."""
        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            region_name=self.region,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET,
        )

    def cdk_environment(self) -> dict[str, str]:
        """Environment variables with which the CDK CLI deploys here, whatever AWS profile the machine has."""
        ours = {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": self.region,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "CDK_HOME": str(self.state / "cdk-home"),  # the CLI remembers there which account a key belongs to
            "TMPDIR": str(self.state / "tmp"),  # who ends the CLI half-way leaves nothing elsewhere
            "CDK_DISABLE_CLI_TELEMETRY": "true",
            "CI": "true",  # no colours and no progress bars in the log
        }
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        return {**kept, **ours}

    def is_bootstrapped(self) -> bool:
        """Whether `cdk bootstrap` was here."""
        try:
            self.client("cloudformation").describe_stacks(StackName="CDKToolkit")
        except (BotoCoreError, ClientError):
            return False
        return True

    def outputs(self) -> dict[str, str]:
        """The outputs of the deployed stacks, by name."""
        stacks: dict[str, dict[str, str]] = json.loads(self.outputs_file.read_text())
        return {name: value for outputs in stacks.values() for name, value in outputs.items()}

    def api_url(self) -> str:
        """Where the deployed API answers on this machine, without a slash at the end."""
        # On AWS https://<id>.execute-api.<region>.amazonaws.com; that name does not resolve to the emulator.
        api_id = self.outputs()["ApiUrl"].removeprefix("https://").split(".")[0]
        return f"{self.endpoint}/_aws/execute-api/{api_id}/$default"

    def function_variables(self) -> dict[str, str]:
        """The environment variables of the deployed function that answers the API."""
        functions = self.client("lambda").list_functions()["Functions"]
        name = f"{self.prefix}-service-"  # the one function of this stack; CloudFormation makes the rest of its name
        found = [each for each in functions if each["FunctionName"].startswith(name)]
        if not found:
            raise StepFailed("the service is not deployed yet: `make up` deploys it")
        variables: dict[str, str] = found[0]["Environment"]["Variables"]
        return variables

    def iam_token(self) -> str:
        """A password for the stand-in for RDS Proxy, good for 15 minutes."""
        database = self.function_variables()
        if "DB_HOST" not in database:
            raise StepFailed("there is no proxy to log in to: this environment's database has none")
        credentials = {"AWS_ACCESS_KEY_ID": ACCESS_KEY, "AWS_SECRET_ACCESS_KEY": SECRET}
        port = int(database["DB_PORT"])
        return iam_token.mint(database["DB_HOST"], port, database["DB_USER"], self.region, credentials)

    def database_socket(self) -> Path:
        """The folder of the Unix socket of the PostgreSQL that is the deployed DB instance."""
        instances = self.client("rds").describe_db_instances()["DBInstances"]
        (instance,) = [each for each in instances if each["DBInstanceIdentifier"].startswith(f"{self.prefix}-")]
        return (self.state / "rds" / str(instance["DBInstanceIdentifier"]) / "socket").resolve()

    def proxy_page(self) -> str | None:
        """Where the stand-in for RDS Proxy shows what it does, live; it says so when it is ready."""
        for log in (self.state / "logs").glob(f"rds-proxy-{self.prefix}-*.log"):
            for line in log.read_text(errors="replace").splitlines():
                if line.startswith('{"ready": true'):
                    page: str | None = json.loads(line).get("metrics")
                    return page
        return None

    def check_health(self) -> None:
        """Return when the API says that it reaches its database; StepFailed with its answer otherwise."""
        request = AWSRequest("GET", f"{self.api_url()}/health")
        SigV4Auth(Credentials(ACCESS_KEY, SECRET), "execute-api", self.region).add_auth(request)
        try:
            signed = urllib.request.Request(request.url, headers=dict(request.headers))
            with urllib.request.urlopen(signed, timeout=HEALTH_SECONDS):
                pass
        except urllib.error.HTTPError as error:
            raise StepFailed(f"{error.code} {error.read().decode(errors='replace')}") from None
        except OSError as error:
            raise StepFailed(str(error)) from None


def port_of(emulator: psutil.Process) -> int:
    """The port that a running emulator was started with."""
    words = emulator.cmdline()
    return int(words[words.index("--port") + 1])

"""An environment on the option, the way docs/options/neon.md says."""

from dataclasses import replace

from stacks.options.neon import Neon
from tests.environments import DEV, SERVICE

EXAMPLE = replace(DEV, name="neon", store=Neon(secret_name=f"{SERVICE}/dev/neon"))

"""An environment on the option, the way docs/options/neon.md says."""

from dataclasses import replace

from stacks.environments import DEV, SERVICE
from stacks.options.neon import Neon

EXAMPLE = replace(DEV, name="neon", store=Neon(secret_name=f"{SERVICE}/dev/neon"))

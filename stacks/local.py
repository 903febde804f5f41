"""The environment that `make up` deploys: another one, but for what one machine forces."""

from dataclasses import replace

from stacks.config import Environment, RdsPostgres, Store
from stacks.runtime import this_machine

NAME = "local"
PORT = 54320  # no PostgreSQL of the machine's own listens there


def on_this_machine(environment: Environment[Store]) -> Environment[Store]:
    """The environment under the name `local`, on the interpreter and architecture of this machine.

    PostgreSQL gets another port, and the max_connections that the environment counts on, since no class decides here.
    """
    store = environment.store
    if isinstance(store, RdsPostgres):
        store = replace(store, port=PORT, max_connections=environment.budget.max_connections)
    return replace(environment, name=NAME, runtime=this_machine(), store=store)

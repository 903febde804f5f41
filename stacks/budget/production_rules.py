"""What production asks of an environment: errors in prod, notes elsewhere."""

from stacks.budget.findings import IN_PRODUCTION, WARNING, Input, Rule, becomes, now_instance, up
from stacks.budget.instance_classes import as_large
from stacks.capacity import Budget

NOT_BURSTABLE = Input("instance", now_instance, lambda b: [as_large(b.instance_class, "r8g").name])


def _has_standby(b: Budget) -> str | None:
    return None if b.plan.multi_az else "multi_az is False: the loss of one zone is an outage until a restore"


def _is_kept(b: Budget) -> str | None:
    return None if b.plan.retain else "retain is False: a deleted stack deletes the data"


def _has_backups(b: Budget) -> str | None:
    days = b.plan.backup_retention_days
    return None if days >= 7 else f"backup_retention_days is {days}, less than a week"


def _is_not_burstable(b: Budget) -> str | None:
    if not b.instance_class.burstable:
        return None
    return f"{b.plan.instance} runs on CPU credits, and AWS advises it for development and tests"


def _logs_no_statements(b: Budget) -> str | None:
    return "debug_logging is True: the text of every statement is logged" if b.plan.debug_logging else None


def _somebody_is_told(b: Budget) -> str | None:
    return None if b.plan.alarm_address else "alarm_address is not given: no alarm is sent to anybody"


def _somebody_real_is_told(b: Budget) -> str | None:
    address = b.plan.alarm_address or ""
    return f"alarm_address is {address}, an example: write your own" if "@example." in address else None


RULES = (
    Rule("F01", IN_PRODUCTION, _has_standby, (becomes("multi_az", True),)),
    Rule("F02", IN_PRODUCTION, _is_kept, (becomes("retain", True),)),
    Rule("F04", IN_PRODUCTION, _has_backups, (up("backup_retention_days", 35),)),
    Rule("F07", IN_PRODUCTION, _is_not_burstable, (NOT_BURSTABLE,)),
    Rule("G03", IN_PRODUCTION, _logs_no_statements, (becomes("debug_logging", False),)),
    Rule("J06", IN_PRODUCTION, _somebody_is_told),
    Rule("J06", WARNING, _somebody_real_is_told),
)

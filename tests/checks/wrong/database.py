from datetime import date

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_rds as rds

from ..cases import wrong
from ..service import (
    GENERATED,
    ISOLATED,
    alarmed,
    aurora,
    by_hand_aurora,
    direct,
    replica,
    resource,
    rotated_master,
    service,
    target_group,
)


def postgres(version):
    return rds.DatabaseInstanceEngine.postgres(version=rds.PostgresEngineVersion.of(version, version.partition(".")[0]))


@wrong("F01", "warning")
def no_standby(stage):
    service(stage, database={"multi_az": False})


@wrong("F01", environment="prod")
def no_standby_in_production(stage):
    alarmed(service(stage, database={"multi_az": False}))


@wrong("F02", "warning")
def no_deletion_protection(stage):
    service(stage, database={"deletion_protection": False})


@wrong("F02", environment="prod")
def a_production_database_that_goes_with_its_stack(stage):
    alarmed(service(stage, database={"removal_policy": RemovalPolicy.DESTROY}))


@wrong("F03")
def storage_in_the_clear(stage):
    service(stage, database={"storage_encrypted": False})


@wrong("F03")
def a_cluster_in_the_clear(stage):
    cluster, _ = aurora(stage)
    resource(cluster).add_property_override("StorageEncrypted", False)


@wrong("F04", "warning")
def one_day_of_backups(stage):
    service(stage, database={"backup_retention": Duration.days(1)})


@wrong("F04", environment="prod")
def no_backups_in_production(stage):
    alarmed(service(stage, database={"backup_retention": Duration.days(0)}))


@wrong("F04")
def sixty_days_of_backups(stage):
    it = service(stage)
    resource(it.instance).add_property_override("BackupRetentionPeriod", 60)


@wrong("F05", "warning")
def gp2(stage):
    service(stage, database={"storage_type": rds.StorageType.GP2})


@wrong("F05")
def magnetic_storage(stage):
    service(stage, database={"storage_type": rds.StorageType.STANDARD})


@wrong("F05")
def ten_gibibytes_of_gp3(stage):
    service(stage, database={"allocated_storage": 10})


@wrong("F05")
def iops_for_a_small_gp3(stage):
    service(stage, database={"iops": 12000})


@wrong("F06", "warning")
def storage_that_cannot_grow(stage):
    service(stage, database={"max_allocated_storage": None})


@wrong("F06", "warning")
def storage_that_can_hardly_grow(stage):
    service(stage, database={"max_allocated_storage": 105})


@wrong("F07", environment="prod")
def a_burstable_class_in_production(stage):
    alarmed(service(stage, database={"instance_type": ec2.InstanceType("t4g.medium")}))


@wrong("F08", "warning")
def a_version_that_is_nearly_out_of_support(stage):
    service(stage, database={"engine": postgres("14.15"), "parameters": {"rds.force_ssl": "1"}})


@wrong("F08")
def a_version_that_is_long_out_of_support(stage):
    service(stage, database={"engine": postgres("11.22"), "parameters": {"rds.force_ssl": "1"}})


@wrong("F09", "warning")
def extended_support_by_default(stage):
    service(stage, database={"engine_lifecycle_support": None})


@wrong("F10", "warning")
def no_minor_upgrades(stage):
    service(stage, database={"auto_minor_version_upgrade": False})


@wrong("F10", "warning")
def major_upgrades_for_ever(stage):
    service(stage, database={"allow_major_version_upgrade": True})


@wrong("F11")
def tls_switched_off(stage):
    service(stage, database={"parameters": {"rds.force_ssl": "0"}})


@wrong("F11", today=date(2025, 11, 22))
def tls_off_by_default(stage):
    direct(stage, database={"engine": postgres("14.15")})


@wrong("F12", "warning")
def logs_that_stay_on_the_instance(stage):
    service(stage, database={"cloudwatch_logs_exports": None})


@wrong("F13")
def advanced_insights_without_retention(stage):
    it = service(stage)
    resource(it.instance).add_property_override("DatabaseInsightsMode", "advanced")


@wrong("F13", "warning")
def insights_of_the_old_paid_tier(stage):
    retention = rds.PerformanceInsightRetention.MONTHS_3
    service(stage, database={"enable_performance_insights": True, "performance_insight_retention": retention})


@wrong("F14", "warning")
def a_master_named_postgres(stage):
    service(stage, database={"credentials": rds.Credentials.from_username("postgres")})


@wrong("F15")
def a_replica_behind_a_proxy(stage):
    it = service(stage, database=GENERATED)
    rotated_master(it)
    readable = replica(it)
    target_group(it.proxy).add_property_override("DBInstanceIdentifiers", [readable.instance_identifier])
    readable.grant_connect(it.role, "application")


@wrong("F16")
def an_aurora_that_should_pause(stage):
    aurora(stage, serverless_v2_min_capacity=0, serverless_v2_max_capacity=4)


@wrong("F03")
def a_cluster_with_a_name_in_the_clear(stage):
    aurora(stage, cluster_identifier="orders", storage_encrypted=False)


@wrong("F15")
def a_read_only_endpoint_of_an_instance(stage):
    it = service(stage)
    it.proxy.add_endpoint(
        "Readers", vpc=it.vpc, vpc_subnets=ISOLATED, target_role=rds.ProxyEndpointTargetRole.READ_ONLY
    )


@wrong("F01", environment="prod")
def no_standby_in_a_stack_of_production_with_another_word(stage):
    alarmed(service(stage, stack=Stack(stage, "FeatureFlags"), database={"multi_az": False}))


@wrong("G06", "warning")
def targets_before_their_writer(stage):
    by_hand_aurora(stage)

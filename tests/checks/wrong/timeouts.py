from aws_cdk import Duration, Stack

from ..cases import wrong
from ..service import direct, function_of_sam, http_api, pinning_alarm, resource, rest_api, service, target_group


@wrong("C01")
def an_hour_to_borrow(stage):
    service(stage, proxy={"borrow_timeout": Duration.hours(1)})


@wrong("C02", "warning")
def no_time_to_borrow(stage):
    it = service(stage)
    target_group(it.proxy).add_property_override("ConnectionPoolConfigurationInfo.ConnectionBorrowTimeout", 0)


@wrong("C03")
def two_minutes_to_borrow_behind_25_seconds(stage):
    service(stage, proxy={"borrow_timeout": Duration.seconds(120)})


@wrong("C03")
def borrow_timeout_left_to_the_default(stage):
    service(stage, proxy={"borrow_timeout": None})


@wrong("C04")
def a_function_that_outlives_its_http_api(stage):
    it = service(stage, client={"timeout": Duration.seconds(60)})
    http_api(it.stack, it.function)


@wrong("C04")
def a_function_that_outlives_its_rest_api(stage):
    it = service(stage, client={"timeout": Duration.seconds(29)})
    rest_api(it)


@wrong("C07")
def ten_seconds_for_idle_clients(stage):
    service(stage, proxy={"idle_client_timeout": Duration.seconds(10)})


@wrong("C07")
def a_day_for_idle_clients(stage):
    it = service(stage)
    resource(it.proxy).add_property_override("IdleClientTimeout", 86400)


@wrong("C09", "warning")
def idle_clients_that_keep_what_they_pinned(stage):
    it = service(
        stage,
        database={"parameters": {"max_connections": "100"}},
        client={"reserved_concurrent_executions": 200},
        proxy={"idle_client_timeout": Duration.hours(1)},
    )
    pinning_alarm(it.stack, it.proxy)


@wrong("C10")
def statements_that_outlive_their_function(stage):
    service(stage, database={"parameters": {"statement_timeout": "60000"}})


@wrong("C10")
def statements_that_outlive_their_function_without_a_proxy(stage):
    direct(stage, database={"parameters": {"statement_timeout": "30000"}})


@wrong("C10")
def statements_that_never_end(stage):
    service(stage, database={"parameters": {"statement_timeout": "0"}})


@wrong("C11", "warning")
def transactions_that_nobody_ends(stage):
    service(stage, database={"parameters": {"idle_in_transaction_session_timeout": "0"}})


@wrong("C13", "warning")
def three_seconds_by_default(stage):
    direct(stage, client={"timeout": None})


@wrong("C13", "warning")
def two_minutes_behind_an_api(stage):
    it = service(stage, client={"timeout": Duration.seconds(120)})
    api = rest_api(it)
    method = api.root.node.find_child("GET")
    resource(method).add_property_override("Integration.TimeoutInMillis", 150000)


@wrong("C04", "warning")
def a_function_that_outlives_the_api_of_its_event(stage):
    """It is no user of a database, so this is not the pool's concern."""
    event = {"Type": "HttpApi", "Properties": {"Path": "/projects", "Method": "get"}}
    function_of_sam(Stack(stage, "Stack"), Timeout=40, Events={"Get": event})

"""Lists stay exact over many projects of many tenants; `python -m benchmarks dynamodb` does it with 100,000."""

from benchmarks.dynamodb import benchmark


def test_a_page_is_one_request_and_no_list_is_wrong_while_others_write():
    found = benchmark.run(2, projects=3_000, tenants=15)["dynamodb_lists"]
    wrong = {name: found[name] for name in ("twice", "missing", "foreign", "out_of_order")}
    assert wrong == dict.fromkeys(wrong, 0)
    assert found["pages"] >= 15 + 2 * 8
    assert found["requests"] == found["pages"]
    assert found["projects_added_meanwhile"] > 0

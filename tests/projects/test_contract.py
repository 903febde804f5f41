"""The contract of the API (docs/openapi.yaml) about projects, which every store serves alike."""

import uuid

import pytest


@pytest.fixture
def tenant():
    return f"tenant-{uuid.uuid4().hex[:8]}"


def create(service, tenant, name="a project", **fields):
    answer = service.request("POST", f"/tenants/{tenant}/projects", {"name": name, **fields})
    assert answer.status == 201, answer
    return answer.body


def test_a_new_id_is_a_uuid_of_version_7(service, tenant):
    project = create(service, tenant)
    assert uuid.UUID(project["id"]).version == 7
    assert project == {
        "tenant": tenant,
        "id": project["id"],
        "name": "a project",
        "version": 1,
        "created_at": project["created_at"],
        "updated_at": project["created_at"],
    }


def test_creation_says_where_the_project_is(service, tenant):
    answer = service.request("POST", f"/tenants/{tenant}/projects", {"name": "a"})
    assert service.request("GET", answer.headers["location"]).body == answer.body


def test_an_id_is_used_once(service, tenant):
    project = create(service, tenant, id=str(uuid.uuid4()))
    answer = service.request("POST", f"/tenants/{tenant}/projects", {"name": "again", "id": project["id"]})
    assert (answer.status, answer.body["type"]) == (409, "/problems/project-exists")
    assert service.request("GET", f"/tenants/{tenant}/projects/{project['id']}").body == project


def test_another_tenant_may_use_the_same_id(service, tenant):
    project = create(service, tenant)
    assert create(service, f"{tenant}-2", id=project["id"])["id"] == project["id"]


def test_a_patch_changes_the_name_and_counts_the_version(service, tenant):
    project = create(service, tenant)
    answer = service.request("PATCH", f"/tenants/{tenant}/projects/{project['id']}", {"name": "renamed"})
    assert answer.status == 200
    assert answer.body == {**project, "name": "renamed", "version": 2, "updated_at": answer.body["updated_at"]}
    assert answer.body["updated_at"] > project["updated_at"]


def test_a_patch_for_another_version_is_a_conflict_that_changes_nothing(service, tenant):
    project = create(service, tenant)
    path = f"/tenants/{tenant}/projects/{project['id']}"
    assert service.request("PATCH", path, {"name": "first", "version": 1}).status == 200
    answer = service.request("PATCH", path, {"name": "second", "version": 1})
    assert (answer.status, answer.body["type"]) == (409, "/problems/version-conflict")
    assert service.request("GET", path).body["name"] == "first"


def test_a_deleted_project_is_gone(service, tenant):
    path = f"/tenants/{tenant}/projects/{create(service, tenant)['id']}"
    answer = service.request("DELETE", path)
    assert (answer.status, answer.body) == (204, None)
    for method, body in (("GET", None), ("DELETE", None), ("PATCH", {"name": "x"})):
        answer = service.request(method, path, body)
        assert (answer.status, answer.body["type"]) == (404, "/problems/project-not-found")


def test_another_tenants_project_is_not_found(service, tenant):
    project = create(service, tenant)
    for method, body in (("GET", None), ("DELETE", None), ("PATCH", {"name": "x"})):
        assert service.request(method, f"/tenants/{tenant}-2/projects/{project['id']}", body).status == 404
    assert service.request("GET", f"/tenants/{tenant}/projects/{project['id']}").body == project


def pages(service, tenant, query=""):
    cursor = ""
    while cursor is not None:
        answer = service.request("GET", f"/tenants/{tenant}/projects?{query}{cursor and f'&cursor={cursor}'}")
        assert answer.status == 200, answer
        yield answer.body["items"]
        cursor = answer.body.get("next_cursor")


def test_the_list_is_in_order_of_creation_and_shows_each_project_once(service, tenant):
    # Ids of the caller's own, which say nothing about order.
    made = [create(service, tenant, f"project {number}", id=str(uuid.uuid4())) for number in range(7)]
    found = list(pages(service, tenant, "limit=3"))
    assert [len(page) for page in found] == [3, 3, 1]
    assert [project for page in found for project in page] == made


def test_a_list_that_ends_with_a_full_page_has_no_next(service, tenant):
    for _ in range(4):
        create(service, tenant)
    assert [len(page) for page in pages(service, tenant, "limit=2")] == [2, 2]


def test_a_page_has_25_projects_by_default(service, tenant):
    for _ in range(26):
        create(service, tenant)
    assert [len(page) for page in pages(service, tenant)] == [25, 1]


def test_projects_added_while_paging_are_not_shown_twice_and_hide_none(service, tenant):
    made = [create(service, tenant)["id"] for _ in range(4)]
    seen = []
    for page in pages(service, tenant, "limit=2"):
        seen += [project["id"] for project in page]
        if len(seen) == 2:
            made.append(create(service, tenant)["id"])
    assert seen == made


def test_an_empty_list_is_a_list(service, tenant):
    assert service.request("GET", f"/tenants/{tenant}/projects").body == {"items": []}


def test_another_tenants_cursor_is_a_bad_request(service, tenant):
    for _ in range(2):
        create(service, tenant)
    cursor = service.request("GET", f"/tenants/{tenant}/projects?limit=1").body["next_cursor"]
    answer = service.request("GET", f"/tenants/{tenant}-2/projects?cursor={cursor}")
    assert (answer.status, answer.body["errors"][0]["field"]) == (400, "cursor")


UUID = "0192f0c1-5c7e-7cc4-a5a1-3f3a0b6a6f00"


@pytest.mark.parametrize(
    ("method", "target", "body", "field"),
    [
        ("POST", "/tenants/acme/projects", '{"name": ""}', "name"),
        ("POST", "/tenants/acme/projects", '{"name": " "}', "name"),
        ("POST", "/tenants/acme/projects", '{"name": 5}', "name"),
        ("POST", "/tenants/acme/projects", '{"name": "a\\u0000b"}', "name"),
        ("POST", "/tenants/acme/projects", '{"name": "\\ud800"}', "name"),
        ("POST", "/tenants/acme/projects", f'{{"name": "{"x" * 201}"}}', "name"),
        ("POST", "/tenants/acme/projects", '{"name": "a", "id": "1"}', "id"),
        ("POST", "/tenants/acme/projects", '{"name": "a", "id": null}', "id"),
        ("POST", "/tenants/acme/projects", '{"name": "a", "color": "red"}', "color"),
        ("GET", "/tenants/acme/projects?limit=0", None, "limit"),
        ("GET", "/tenants/acme/projects?limit=501", None, "limit"),
        ("GET", "/tenants/acme/projects?limit=ten", None, "limit"),
        ("GET", "/tenants/acme/projects?limit=1,2", None, "limit"),
        ("GET", "/tenants/acme/projects?limit=٣", None, "limit"),
        ("GET", "/tenants/acme/projects?page=2", None, "page"),
        ("GET", "/tenants/acme/projects?cursor=forged", None, "cursor"),
        ("GET", "/tenants/acme/projects?cursor=", None, "cursor"),
        ("PATCH", f"/tenants/acme/projects/{UUID}", "{}", "name"),
        ("PATCH", f"/tenants/acme/projects/{UUID}", '{"name": "a", "version": "1"}', "version"),
        ("PATCH", f"/tenants/acme/projects/{UUID}", '{"name": "a", "version": true}', "version"),
        ("PATCH", f"/tenants/acme/projects/{UUID}", '{"name": "a", "version": 1e99}', "version"),
        ("PATCH", f"/tenants/acme/projects/{UUID}", '{"name": "a", "tenant": "b"}', "tenant"),
    ],
)
def test_a_bad_request_is_told_what_is_wrong(service, method, target, body, field):
    answer = service.request(method, target, raw=body)
    assert (answer.status, answer.headers["content-type"]) == (400, "application/problem+json")
    mistake = next(error for error in answer.body["errors"] if error["field"] == field)
    assert "allowed" in mistake["allowed"] or "fields are" in mistake["allowed"]
    assert mistake["came"]


def test_every_mistake_is_told_at_once(service):
    answer = service.request("POST", "/tenants/acme/projects", {"name": 5, "id": "x", "color": "red"})
    assert {error["field"] for error in answer.body["errors"]} == {"name", "id", "color"}

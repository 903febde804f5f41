"""What a change of a project does when its answer is lost, or the project while it waits."""

import threading

import pytest

from tests.conftest import as_superuser
from tests.service import Service, environment

PROJECTS = "/tenants/acme/projects"


@pytest.fixture
def service(proxy, network, tmp_path):
    with environment(proxy, tmp_path) as running:
        yield Service(running)


def test_a_patch_whose_answer_was_lost_counts_one_version(service, network):
    project = service.request("POST", PROJECTS, {"name": "a"}).body
    network.cut_next_answer()
    answer = service.request("PATCH", f"{PROJECTS}/{project['id']}", {"name": "b", "version": 1})
    assert (answer.status, answer.body["version"]) == (200, 2)


@pytest.mark.parametrize("version", [{}, {"version": 1}])
def test_a_change_that_waited_for_a_deletion_finds_nothing(service, postgres, version):
    project = service.request("POST", PROJECTS, {"name": "a"}).body
    path = f"{PROJECTS}/{project['id']}"
    answers = []
    thread = threading.Thread(target=lambda: answers.append(service.request("PATCH", path, {"name": "b", **version})))
    with as_superuser(postgres) as connection, as_superuser(postgres) as observer:
        with connection.transaction():
            connection.execute("DELETE FROM project WHERE id = %s", [project["id"]])
            thread.start()
            while observer.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone() == (0,):
                pass
        thread.join()
    assert [answer.status for answer in answers] == [404]

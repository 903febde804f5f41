"""The environment variable STORE names the module of the store."""

import pytest

from lambda_src.stores import NoSuchStore, connect


@pytest.mark.parametrize("name", ["", "oracle", "lambda_src.oracle.store"])
def test_a_name_of_no_module_is_refused_with_what_is_needed(name):
    with pytest.raises(NoSuchStore, match=rf"STORE is '{name}': .* such as lambda_src\.database"):
        connect({"STORE": name} if name else {})


def test_a_store_whose_package_is_not_in_the_zip_says_which(monkeypatch, tmp_path):
    (tmp_path / "shop_store.py").write_text("import no_such_driver\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="no_such_driver"):
        connect({"STORE": "shop_store"})

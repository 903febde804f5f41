"""The zip that ships."""

import subprocess
from pathlib import Path

import pytest
from aws_cdk import App, Stack
from aws_cdk import aws_lambda as lambda_
from aws_cdk.assertions import Annotations, Match

from stacks import bundling
from stacks.bundling import bundle, content_hash, interpreter_for, shipped_code
from stacks.runtime import PYTHON_VERSIONS, Runtime, this_machine

from .synthesis import OWN

MACHINES = {"x86_64": 62, "arm64": 183}  # e_machine of the ELF header
SHIPPED = sorted({each.runtime for each in OWN} | {this_machine()}, key=str)


@pytest.fixture(scope="module", params=SHIPPED, ids=lambda each: f"{each.python}-{each.architecture}")
def runtime(request):
    return request.param


@pytest.fixture(scope="module")
def zipped(runtime, tmp_path_factory):
    directory = tmp_path_factory.mktemp("zip")
    bundle(runtime, directory)
    return directory


def files(directory):
    return {path.relative_to(directory).as_posix(): path for path in directory.rglob("*") if path.is_file()}


def test_shared_objects_are_for_the_functions_processor(zipped, runtime):
    headers = [path.read_bytes()[:20] for path in zipped.rglob("*.so*")]
    assert len(headers) > 3
    assert {header[:4] for header in headers} == {b"\x7fELF"}
    assert {int.from_bytes(header[18:20], "little") for header in headers} == {MACHINES[runtime.architecture]}


def test_extension_modules_are_for_the_functions_python(zipped, runtime):
    tag = f"cpython-{runtime.python.replace('.', '')}-"
    assert [path.name for path in (zipped / "psycopg_binary").glob("*.so") if tag not in path.name] == []


def test_two_builds_are_byte_identical(zipped, runtime, tmp_path):
    bundle(runtime, tmp_path)
    once, again = files(zipped), files(tmp_path)
    assert once.keys() == again.keys()
    assert [name for name in once if once[name].read_bytes() != again[name].read_bytes()] == []


def test_every_module_has_bytecode_that_is_used_whatever_the_files_date(zipped, runtime):
    if interpreter_for(runtime.python) is None:
        pytest.skip(f"no Python {runtime.python} on this machine")
    tag = f"cpython-{runtime.python.replace('.', '')}"
    for module in zipped.rglob("*.py"):
        compiled = module.parent / "__pycache__" / f"{module.stem}.{tag}.pyc"
        assert compiled.read_bytes()[4:8] == (1).to_bytes(4, "little"), module  # unchecked-hash: PEP 552
    assert {path.name.split(".")[-2] for path in zipped.rglob("*.pyc")} == {tag}


def test_the_zip_lists_what_is_in_it(zipped):
    found = subprocess.run(
        ["sha256sum", "--check", "--strict", "--quiet", "contents.txt"], cwd=zipped, capture_output=True, check=False
    )
    assert found.returncode == 0, found.stderr
    listed = {line.split("  ", 1)[1] for line in (zipped / "contents.txt").read_text().splitlines()}
    assert listed == files(zipped).keys() - {"contents.txt"}


def test_bytecode_does_not_name_the_folder_it_was_made_in(zipped):
    for path in zipped.rglob("*.pyc"):
        assert str(zipped).encode() not in path.read_bytes(), path


def test_the_zip_holds_the_code_and_what_it_reads_and_nothing_else(zipped):
    names = files(zipped)
    assert "lambda_src/handler.py" in names
    assert "lambda_src/migrations/handler.py" in names
    assert any(name.startswith("lambda_src/migrations/sql/") for name in names)
    assert "certifi/cacert.pem" in names
    top = {name.partition("/")[0].partition("-")[0].partition(".")[0] for name in names}
    assert top <= {"lambda_src", "psycopg", "psycopg_binary", "certifi", "typing_extensions", "__pycache__", "contents"}
    not_shipped = ("RECORD", "requirements.txt", ".lock", ".ts")
    assert not [name for name in names if "tests/" in name or name.endswith(not_shipped)]


def test_the_function_starts_from_the_zip(tmp_path):
    """As Lambda does: the zip first on the path, nothing of this environment's packages behind it."""
    bundle(this_machine(), tmp_path)
    interpreter = interpreter_for(this_machine().python)
    program = "import sys; sys.path.insert(0, '.'); import psycopg, lambda_src.routes; print(psycopg.pq.__impl__)"
    result = subprocess.run([interpreter, "-I", "-S", "-c", program], cwd=tmp_path, capture_output=True, text=True)
    assert (result.stdout.strip(), result.stderr) == ("binary", "")


@pytest.fixture
def sources(tmp_path, monkeypatch):
    """Sources of our own to change, in place of lambda_src."""
    root = tmp_path / "lambda_src"
    (root / "tests").mkdir(parents=True)
    (root / "requirements.txt").write_text("")
    (root / "handler.py").write_text("")
    recipe = tmp_path / "bundling.py"
    recipe.write_text("")
    monkeypatch.setattr(bundling, "SOURCE", root)
    monkeypatch.setattr(bundling, "__file__", str(recipe))
    return root


RUNTIME = Runtime()


def test_the_hash_is_of_what_ships(sources):
    seen = {content_hash(RUNTIME, bytecode=True)}
    for change in (
        lambda: (sources / "handler.py").write_text("x = 1"),
        lambda: (sources / "handler.py").rename(sources / "other.py"),
        lambda: (sources / "requirements.txt").write_text("psycopg==1"),
        lambda: (sources.parent / "bundling.py").write_text("# another recipe"),
    ):
        change()
        seen.add(content_hash(RUNTIME, bytecode=True))
    seen.add(content_hash(RUNTIME, bytecode=False))
    seen.add(content_hash(Runtime(python="3.12"), bytecode=True))
    seen.add(content_hash(Runtime(architecture="x86_64"), bytecode=True))
    assert len(seen) == 8


def test_the_hash_is_of_nothing_else(sources):
    before = content_hash(RUNTIME, bytecode=True)
    (sources / "__pycache__").mkdir()
    (sources / "__pycache__" / "handler.pyc").write_bytes(b"")
    (sources / "tests" / "test_handler.py").write_text("")
    (sources / ".DS_Store").write_text("")
    (sources / "handler.py").touch()
    assert content_hash(RUNTIME, bytecode=True) == before


ABSENT = next(each for each in PYTHON_VERSIONS if each != this_machine().python)


@pytest.fixture
def bare_machine(tmp_path, monkeypatch):
    """A machine with no Python but this one: the folder is all of its PATH, and its home."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("HOME", str(tmp_path))
    interpreter_for.cache_clear()
    yield tmp_path
    interpreter_for.cache_clear()


def interpreter_in(directory, script):
    directory.mkdir(parents=True, exist_ok=True)
    interpreter = directory / f"python{ABSENT}"
    interpreter.write_text(f"#!/bin/sh\n{script}\n")
    interpreter.chmod(0o755)
    return interpreter


def test_an_interpreter_that_only_says_that_it_is_not_there_is_not_used(bare_machine, monkeypatch):
    shim = interpreter_in(bare_machine / "shims", "echo 'command not found' >&2; exit 127")
    monkeypatch.setenv("PATH", f"{bare_machine / 'shims'}:{bare_machine / 'bin'}")
    assert interpreter_for(ABSENT) is None
    behind = interpreter_in(bare_machine / "bin", f"echo cpython {ABSENT}")
    interpreter_for.cache_clear()
    assert interpreter_for(ABSENT) == behind != shim


@pytest.mark.parametrize("place", [".pyenv/versions/{}.7/bin", ".local/share/uv/python/cpython-{}.7-linux/bin"])
def test_an_interpreter_that_pyenv_or_uv_installed_is_found(bare_machine, place):
    interpreter = interpreter_in(bare_machine / place.format(ABSENT), f"echo cpython {ABSENT}")
    assert interpreter_for(ABSENT) == interpreter


def stack_in(directory, **context):
    return Stack(App(outdir=str(directory), context=context), "Stack")


def test_without_an_interpreter_synth_says_what_is_lost_and_how_to_get_one(bare_machine):
    stack = stack_in(bare_machine / "out")
    shipped_code(stack, Runtime(python=ABSENT))
    lost = f"no bytecode and every cold start.*install one.*uv python install {ABSENT}"
    Annotations.from_stack(stack).has_warning("/Stack", Match.string_like_regexp(lost))


def test_functions_share_one_asset_that_is_put_together_once(tmp_path, capsys):
    stack = stack_in(tmp_path)
    for id in ("One", "Two"):
        code = shipped_code(stack, this_machine())
        lambda_.Function(stack, id, runtime=lambda_.Runtime.PYTHON_3_13, code=code, handler="handler")
    stack.node.root.synth()
    (asset,) = tmp_path.glob("asset.*")
    assert (asset / "lambda_src" / "handler.py").exists()
    assert capsys.readouterr().err.count("bundled lambda_src for Python") == 1


def test_a_failing_install_says_which_command_and_why(tmp_path):
    lock = tmp_path / "requirements.txt"
    lock.write_text("psycopg\n")
    with pytest.raises(RuntimeError, match=r"bundling lambda_src failed at .*uv pip install(.|\n)*require-hashes"):
        bundle(RUNTIME, Path(tmp_path / "zip"), str(lock))

"""What a user's function declares: read without importing its file here, and held against it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

import pytest

import convlaws
from convlaws.errors import HarnessError, UsageError
from convlaws.records.finding import Verdict
from convlaws.targets.declaration import Declaration, declared_by, from_json
from convlaws.targets.inspection import declared
from convlaws.targets.resolve import Calling, from_dict, resolve

HEAD = "import convlaws\n"
DECLARED = f"""{HEAD}
@convlaws.declares(
    signature="conv1d",
    scope=convlaws.Scope(ops=("fprop",), dtypes=("float64", "float16"), batch=("many",), kernel=(2,), macs=500),
    contract={{"float16": "storage"}},
    can=("second",),
)
def conv(*a):
    pass
"""


def write(folder, text, name="declared.py"):
    (folder / name).write_text(text)
    return f"{folder / name}:conv"


def method(address, **calling):
    return resolve([address], Calling(**calling))[0]


# --- reading --------------------------------------------------------------------------
def test_scope_contract_and_signature_are_those_declared(tmp_path):
    row = method(write(tmp_path, DECLARED))

    assert (row.scope.dtypes, row.scope.batch, row.scope.kernel) == (("float64", "float16"), ("many",), (2,))
    assert (row.scope.ndim, row.scope.transposed, row.options["signature"]) == ((1,), (False,), "conv1d")
    assert [row.contract(None, "fprop", dtype) for dtype in ("float16", "float64")] == ["storage", "plain"]
    assert row.can == {"threads", "second"}


def test_the_file_is_not_imported_here(tmp_path):
    address = write(tmp_path, f"import os\nopen({str(tmp_path / 'pid')!r}, 'w').write(str(os.getpid()))\n{DECLARED}")

    method(address)

    assert "declared" not in sys.modules
    assert int((tmp_path / "pid").read_text()) != os.getpid()


def test_a_plain_def_is_not_even_imported_elsewhere(tmp_path):
    address = write(tmp_path, f"open({str(tmp_path / 'trace')!r}, 'w')\ndef conv(*a): pass")

    assert method(address).scope.ndim == (2,)
    assert not (tmp_path / "trace").exists()


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}def conv(*a): pass\nconv = convlaws.declares(signature='conv3d')(conv)",
        f"{HEAD}def inner(*a): pass\nconv = convlaws.declares(signature='conv3d')(inner)",
        f"{HEAD}if True:\n    @convlaws.declares(signature='conv3d')\n    def conv(*a): pass",
        "from beside_the_declared import conv",
        "from beside_the_declared import other as conv",
        "def conv(*a): pass\nfrom beside_the_declared import *",
    ],
)
def test_a_declaration_is_found_however_the_name_is_bound(tmp_path, text):
    body = "@convlaws.declares(signature='conv3d')\ndef conv(*a): pass\nother = conv"
    write(tmp_path, f"{HEAD}{body}", "beside_the_declared.py")

    assert declared(write(tmp_path, text)).signature == "conv3d"


def test_what_the_file_prints_is_not_taken_for_its_declaration(tmp_path):
    address = write(tmp_path, f"import os\nprint('{{}}')\nos.system('echo []')\n{DECLARED}\nprint('bye')")

    assert declared(address).signature == "conv1d"


def test_a_changed_file_is_asked_again(tmp_path):
    address = write(tmp_path, DECLARED)
    before = declared(address).signature
    write(tmp_path, DECLARED.replace("conv1d", "conv2d"))
    os.utime(tmp_path / "declared.py", ns=(later := time.time_ns() + 10**9, later))

    assert (before, declared(address).signature) == ("conv1d", "conv2d")


def test_the_command_line_is_stronger(tmp_path):
    row = method(write(tmp_path, DECLARED), signature="conv3d", contract="tf32")

    assert (row.scope.ndim, row.options["signature"], row.contract(None, "fprop", "float16")) == ((3,), "conv3d", "tf32")


def test_a_method_crosses_into_another_process_with_what_it_declares(tmp_path):
    row = method(write(tmp_path, DECLARED))
    (tmp_path / "declared.py").unlink()  # nobody can ask again

    other = from_dict(row.to_dict())

    assert (other.scope, other.can, other.options) == (row.scope, row.can, row.options)
    assert [other.contract(None, "fprop", dtype) for dtype in ("float16", "float64")] == ["storage", "plain"]


def test_a_declaration_survives_json():
    said = Declaration(
        signature="conv1d", scope=convlaws.Scope(kernel=(1, 3), macs=9), contract={"float16": "storage"}, can=("second",)
    )

    assert from_json(json.loads(json.dumps(said.as_json()))) == said


def test_a_function_at_hand_needs_no_process():
    @convlaws.declares(signature="conv1d", arrays="numpy", scope=convlaws.Scope(dtypes=("float64",)))
    def conv(x, *rest):
        return x

    found = convlaws.check(conv, laws=["equals-the-definition"], sandbox=False)

    assert declared_by(conv).arrays == "numpy"
    assert {(f.op, str(f.verdict)) for f in found} >= {("fprop", "broken"), ("dgrad", "refused")}
    assert {f.problem.split()[2] for f in found if f.op == "fprop"} == {"float64"}


# --- what is wrong ---------------------------------------------------------------------
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("scope=convlaws.Scope(dtypes=('float23',))", "dtypes of the scope may hold 'float64', .*, not 'float23'"),
        ("scope=convlaws.Scope(dtypes='float32')", "dtypes of the scope is 'float32'; it should look like"),
        ("scope=convlaws.Scope(ops=())", r"ops of the scope is \(\); it should look like"),
        ("scope=convlaws.Scope(kernel=3)", r"kernel of the scope is 3; it should look like \(1, 3\)"),
        ("scope=convlaws.Scope(channels=(4,))", r"channels of the scope is \(4,\); it should look like \(0, 0\)"),
        ("scope=convlaws.Scope(macs='many')", "macs of the scope is 'many'"),
        ("contract='exactly'", "'exactly'"),
        ("contract={'float8': 'plain'}", "a contract for the dtype 'float8'"),
        ("can=('threads',)", "can may hold second, not 'threads'"),
        ("signature='conv4d'", "signature 'conv4d' is none of conv1d"),
        ("arrays='jax'", "arrays 'jax' is none of torch, numpy"),
        ("scope=convlaws.Scope(padding=('uneven',))", "declares nothing that conv2d with torch arrays can be asked for"),
        ("arrays='numpy', scope=convlaws.Scope(ops=('wgrad',))", "declares nothing that conv2d with numpy arrays"),
    ],
)
def test_a_declaration_that_is_none_is_one_sentence(tmp_path, arguments, says):
    address = write(tmp_path, f"{HEAD}@convlaws.declares({arguments})\ndef conv(*a): pass")

    with pytest.raises(HarnessError, match=says) as caught:
        method(address)

    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("@wrong\ndef conv(*a): pass", "cannot be imported: NameError: name 'wrong' is not defined .declared.py, line 1."),
        ("from math import nothing as conv", "cannot be imported: ImportError"),
        ("def cnov(*a): pass", "has no 'conv'; it has cnov"),
        ("import os\nprint('almost', flush=True)\nos.abort()", "the process that imports it died of SIGABRT; .*: almost"),
        ("import os\nos._exit(3)", "the process that imports it ended with exit status 3$"),
        ("import convlaws\nconv = convlaws.declares()(len)", "a builtin_function_or_method cannot hold a declaration"),
    ],
)
def test_a_file_that_cannot_be_asked_is_one_sentence(tmp_path, text, says):
    with pytest.raises(UsageError, match=says):
        declared(write(tmp_path, text))


# --- held against the function ----------------------------------------------------------
CLAIMS = """
import convlaws
from scripted.functions import conv2d

@convlaws.declares(scope=convlaws.Scope(ops=("fprop",), dtypes=("float64", "float32"), padding=("none",), batch=("many",)))
def conv(x, *rest):
    if x.dtype.itemsize == 8:
        raise {error}("no float64 here")
    return conv2d(x, *rest)
"""


@pytest.mark.parametrize(
    ("error", "verdict"),
    [("TypeError", Verdict.CRASHED), ("NotImplementedError", Verdict.CRASHED), ("convlaws.Refusal", Verdict.KEPT)],
)
def test_a_claim_that_does_not_hold_is_a_finding_unless_it_is_refused_in_words(tmp_path, monkeypatch, error, verdict):
    write(tmp_path, CLAIMS.format(error=error))
    monkeypatch.chdir(tmp_path)  # what is drawn depends on the address: five refusals before the first example are the last

    found = convlaws.check("declared.py:conv", laws=["equals-the-definition"], sandbox=False)

    (fprop,) = (f for f in found if f.op == "fprop")
    assert fprop.verdict is verdict, fprop
    assert ("float64" in fprop.problem) == (verdict is Verdict.CRASHED)


def test_within_what_is_declared_all_is_kept(tmp_path):
    text = CLAIMS.format(error="TypeError").replace('("float64", "float32")', '("float32",)')

    found = convlaws.check(write(tmp_path, text), laws=["equals-the-definition"], sandbox=False)

    assert {(f.op, str(f.verdict)) for f in found} == {
        ("fprop", "kept"), ("dgrad", "refused"), ("wgrad", "refused"), ("bgrad", "refused"),
    }  # fmt: skip


def test_a_script_of_ones_own_needs_no_more_than_importing_convlaws():
    code = "import sys, convlaws\nconvlaws.declares, convlaws.Scope\nprint([m for m in ('torch', 'scipy') if m in sys.modules])"

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"

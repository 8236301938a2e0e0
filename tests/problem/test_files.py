"""Catalogues: problem lines and benchdnn descriptors."""

import pytest
from hypothesis import given, settings

from convlaws.errors import UsageError
from convlaws.problem.files import read_problems, to_benchdnn
from convlaws.problem.problem import Problem
from convlaws.problem.scope import PADDINGS, Scope
from convlaws.problem.spec import ConvSpec
from convlaws.strategies import conv_specs


def _read(tmp_path, text):
    path = tmp_path / "some.txt"
    path.write_text(text, encoding="utf-8")
    return read_problems(path)


# what a descriptor leaves out is deduced as tests/benchdnn/conv/conv_aux.cpp (oneDNN) does it
DESCRIPTORS = [
    ("mb1ic4ih8oc6kh3", "n1c4k6_x8x8_r3x3"),
    ("ic4ih8oc6kh3", "n2c4k6_x8x8_r3x3"),
    ("g2mb1ic4ih8oc6oh8kh3sh1dh0ph1", "n1c4k6_x8x8_r3x3_p1x1_g2"),
    ("g2mb1_ic4ih8_oc6oh8_kh3_sh1_dh0_ph1", "n1c4k6_x8x8_r3x3_p1x1_g2"),
    ("mb1ic4ih8iw5oc6oh8ow5kh3kw1ph1pw0", "n1c4k6_x8x5_r3x1_p1x0"),
    ("mb1ic1iw8oc1kw3", "n1c1k1_x8_r3"),
    ("mb1ic1id8oc1kd3", "n1c1k1_x8x8x8_r3x3x3"),
    ("mb1ic1id3ih4iw5oc1kd3kh2kw1", "n1c1k1_x3x4x5_r3x2x1"),
    ("mb1ic1iw9oc1kw3dw1", "n1c1k1_x9_r3_d2"),
    ("mb1ic1iw9oc1ow9kw3", "n1c1k1_x9_r3_p1"),
    ("mb1ic1iw8oc1ow8kw4", "n1c1k1_x8_r4_p1:2"),
    ("mb1ic1iw8oc1ow4kw3sw2pw0", "n1c1k1_x8_r3_s2_p0:1"),
    ("mb1ic1iw8oc1ow4kw3sw2pw1", "n1c1k1_x8_r3_s2_p1"),
    ("mb1ic1iw8oc1ow4kw1sw2pw0", "n1c1k1_x8_r1_s2"),
    ("mb1ic1iw56oc1ow28kw1sw2", "n1c1k1_x56_r1_s2"),
    ("mb1ic1iw4oc1ow5kw2pw2", "n1c1k1_x4_r2_p2:0"),
    ("mb0ic1iw4oc1kw2", "n0c1k1_x4_r2"),
    ("ic64iw8oc17ow4kw3sw2pw1", "n2c64k17_x8_r3_s2_p1"),
]


@pytest.mark.parametrize(("descriptor", "line"), DESCRIPTORS)
def test_a_descriptor_is_read_as_benchdnn_reads_it(tmp_path, descriptor, line):
    found = _read(tmp_path, descriptor)

    assert found == [(descriptor, Problem.parse(line))]


OPTIONS = [
    ("--dir=FWD_D", "n1c1k1_x4_r2 fprop"),
    ("--dir=FWD_I", "n1c1k1_x4_r2 fprop"),
    ("--dir=FWD_B", "n1c1k1_x4_r2_b fprop"),
    ("--dir=BWD_D", "n1c1k1_x4_r2 dgrad"),
    ("--dir=BWD_W", "n1c1k1_x4_r2 wgrad"),
    ("--dir=BWD_WB", "n1c1k1_x4_r2_b bgrad"),
    ("--dt=f16", "n1c1k1_x4_r2 float16"),
    ("--dt=bf16:bf16:bf16", "n1c1k1_x4_r2 bfloat16"),
    ("--dt=f64 --dir=bwd_d", "n1c1k1_x4_r2 dgrad float64"),
    ("--conv --mb=7", "n7c1k1_x4_r2"),
    ("--mb=0", "n1c1k1_x4_r2"),
]


@pytest.mark.parametrize(("options", "line"), OPTIONS)
def test_options_select_op_dtype_and_batch(tmp_path, options, line):
    found = _read(tmp_path, f"{options} mb1ic1iw4oc1kw2")

    assert found == [("mb1ic1iw4oc1kw2", Problem.parse(line))]


def test_options_hold_until_reset(tmp_path):
    found = _read(tmp_path, "--dir=BWD_D\nmb1ic1iw4oc1kw2\n--dt=f16 mb1ic1iw5oc1kw2\n--reset\nmb1ic1iw6oc1kw2\n")

    assert [(p.op, p.dtype) for _, p in found] == [("dgrad", "float32"), ("dgrad", "float16"), ("fprop", "float32")]


def test_blanks_and_comments_are_skipped_and_names_kept(tmp_path):
    text = '# shapes\n\n  n1c1k1_x5_r3 wgrad  # ours\nmb1ic1iw4oc1kw2n"a name:1*2"  # theirs\nmb1ic1iw4oc1kw2_nbare\n'

    found = _read(tmp_path, text)

    assert [name for name, _ in found] == [
        "ours",
        "a name:1*2",
        "bare",
    ]


WRONG = [
    ("n1c1k1_x5_r2_p-3:-3", "axis 0: the padding takes 6, the input has 5"),
    ("mb1ic1iw5oc1kw7", "axis 0: the kernel reaches over 7, the padded input has 5"),
    ("n1c1k1_x5_r3 float8", "'float8' is no word of a problem line"),
    ("hello", "'hello' does not begin like n1c4k6"),
    ("mb1ic1iw4oc1", "kw is missing or 0"),
    ("mb1ic1oc1kw4", "iw is missing or 0"),
    ("mb1iw4oc1kw1", "ic is missing or 0"),
    ("mb1ic1oc1", "the axes none are given"),
    ("mb1ic1ih4iw4id4oc1kh1kd1", "kw is missing or 0"),
    ("mb1ic1id4iw4oc1kd1kw1", "the axes d and w are given"),
    ("mb1ic1iw4oc1kw1zz3", "'zz3' begins with no entry of a descriptor"),
    ("mb1ic1iw4oc1kw1sw0", "sw is 0, the least is 1"),
    ("mb1ic1iw8oc1ow3kw1pw0", "ow is 3, which cuts the end of the input off (padding -5 behind)"),
    ("g2mb1ic3iw4oc2kw1", "groups=2 does not divide in_channels=3"),
    ("--dir=SIDEWAYS", "'--dir=SIDEWAYS' is not supported; --dir is one of FWD_B"),
    ("--dt=u8:s8:f32", "'--dt=u8:s8:f32' is not supported; --dt is one of f64, f32, f16, bf16"),
    ("--alg=wino", "'--alg=wino' is not supported; there are --dir"),
    ("--mb=x", "'--mb=x' is not supported"),
]


@pytest.mark.parametrize(("line", "reason"), WRONG)
def test_a_wrong_line_is_named_with_file_and_number(tmp_path, line, reason):
    with pytest.raises(UsageError) as caught:
        _read(tmp_path, f"# first\n{line}\n")

    assert str(caught.value).startswith(f"{tmp_path / 'some.txt'}:2: ")
    assert reason in str(caught.value)


def test_a_file_that_cannot_be_read_is_named_with_the_reason(tmp_path):
    binary = tmp_path / "binary"
    binary.write_bytes(b"\xff\xfe\xff")

    with pytest.raises(UsageError, match=r"nowhere\.txt cannot be read: No such file or directory"):
        read_problems(tmp_path / "nowhere.txt")
    with pytest.raises(UsageError, match="binary cannot be read: invalid start byte"):
        read_problems(binary)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("n1c4k6_x8x5_r3x3_s2x1_p1x0_d1x2_g2", "--dir=FWD_D g2mb1ic4ih8iw5oc6oh4ow1kh3kw3sh2sw1ph1pw0dh0dw1"),
        ("n3c1k1_x8_r4_psame_b", "--dir=FWD_B g1mb3ic1iw8oc1ow8kw4sw1pw1dw0"),
        ("uc1k1_x5_r3", None),
        ("n1c1k1_x5_r3_p1_mreflect", None),
        ("n1c1k1_x5_r3_t0", None),
        ("n1c1k1_x8_r4_s2_psameupper", "--dir=FWD_D g1mb1ic1iw8oc1ow4kw4sw2pw1dw0"),
        ("n1c1k1_x5_r3_p-1:2", None),
        ("n1c1k1_x5_r3_i2", None),
        ("n1c1k1_x5_r7", None),
    ],
)
def test_a_spec_in_the_words_of_benchdnn(line, words):
    spec = ConvSpec.parse(line)

    assert to_benchdnn(spec) == words


WORDS = (*PADDINGS, "sameupper", "samelower")
SAYABLE = Scope(padding=WORDS, transposed=(False,), padding_mode=("zeros",), batch=("empty", "one", "many"))


@settings(derandomize=True, database=None, deadline=None, max_examples=300)
@given(spec=conv_specs(SAYABLE))
def test_what_is_written_for_benchdnn_is_read_as_the_same_convolution(tmp_path_factory, spec):
    path = tmp_path_factory.mktemp("said") / "said.txt"
    path.write_text(to_benchdnn(spec))

    [(_, problem)] = read_problems(path)
    read = problem.spec

    same = ("x_shape", "w_shape", "y_shape", "stride", "dilation", "groups", "bias")
    assert {name: getattr(read, name) for name in same} == {name: getattr(spec, name) for name in same}
    assert [low for low, _ in read.sides] == [low for low, _ in spec.sides]

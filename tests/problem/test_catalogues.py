"""The catalogues that come with the package: each line is a problem, each network's layers are those of the network."""

from __future__ import annotations

import importlib
from math import prod

import nets
import pytest
import torch

from convlaws.errors import UnknownName
from convlaws.problem.catalogues import catalogue, names, says, times
from convlaws.targets.torch_model import hooked

NETWORKS = ("resnet50", "mobilenet-v2", "convnext-tiny", "unet-dilated", "wavenet", "r2plus1d-18", "c3d")


@pytest.mark.parametrize("name", names())
def test_every_line_has_a_name_of_its_own_and_sizes_of_its_own(name):
    found = catalogue(name)

    assert len(found) >= 5
    assert len({title for title, _ in found}) == len({str(p) for _, p in found}) == len(found)
    assert not any("_x" in title for title, _ in found), "a line without a name"
    assert says(name)


def test_a_name_that_is_none_names_those_that_are():
    with pytest.raises(UnknownName, match=r"no catalogue 'resnet-50'; near: resnet50; there are c3d, .*wavenet"):
        catalogue("resnet-50")


def steps(spec) -> set[tuple[int, tuple[int, ...]]]:
    """(channels, extents) that a layer's result may be handed on as: as it is, pooled by 2 or by 3x3/2, the gate's half."""
    halved = tuple(-(-n // 2) for n in spec.output)
    flat = (spec.output[0], *halved[1:])  # C3D pools no time at first
    return {
        (spec.out_channels, spec.output),
        (spec.out_channels, halved),
        (spec.out_channels, flat),
        (spec.out_channels // 2, spec.output),
    }


@pytest.mark.parametrize("name", NETWORKS)
def test_each_layer_takes_what_an_earlier_one_gives(name):
    (_, first), *others = catalogue(name)
    given = steps(first.spec)

    for title, problem in others:
        spec = problem.spec
        causal = {(spec.in_channels, tuple(n - d for n, d in zip(spec.extent, spec.dilation, strict=True)))}
        joined = {(2 * channels, extents) for channels, extents in given}
        assert {(spec.in_channels, spec.extent), *causal} & (given | joined), f"nothing gives what {title} takes: {spec}"
        given |= steps(spec)


def listed(model, shape) -> list[tuple[str, str]]:
    """(spec, name) of each layer of a model, run on no data."""
    with torch.device("meta"):
        found, others = hooked(model(), torch.zeros(shape))
    assert not others
    layers: dict[str, list[str]] = {}
    for name, spec in found:
        layers.setdefault(str(spec), []).append(name)
    return [(spec, f"{n[0]} x{len(n)}" if len(n) > 1 else n[0]) for spec, n in layers.items()]


@pytest.mark.parametrize("name", nets.OURS)
def test_a_network_from_a_paper_has_these_layers(name):
    assert [(str(p.spec), title) for title, p in catalogue(name)] == listed(*nets.OURS[name])


@pytest.mark.parametrize("name", nets.TORCHVISION)
def test_a_network_of_torchvision_has_these_layers(name):
    try:
        models = importlib.import_module("torchvision.models")
    except (ImportError, RuntimeError) as error:  # one for another torch fails at its operators
        pytest.skip(f"torchvision cannot be imported: {str(error)[:80]}")
    path, shape = nets.TORCHVISION[name]
    model = models
    for part in path.split("."):
        model = getattr(model, part)

    assert [(str(p.spec), title) for title, p in catalogue(name)] == listed(model, shape)


@pytest.mark.parametrize("name", [n for n in names() if n.startswith("sweep-")])
def test_a_sweep_changes_one_thing_and_its_name_says_which(name):
    word = name.removeprefix("sweep-").removeprefix("small-")
    found = [(title.split("="), p.spec) for title, p in catalogue(name)]

    values = {"channels": "in_channels"}.get(word, word)
    for (what, value), spec in found:
        said = getattr(spec, values)
        assert what == word
        assert {int(value)} == ({*said} if isinstance(said, tuple) else {said})
    assert [int(v) for (_, v), _ in found] == sorted(int(v) for (_, v), _ in found)
    free = {word, values, "padding"} | ({"out_channels"} if word == "channels" else set())
    free |= {"extent"} if name == "sweep-small-kernel" else set()  # as it has no padding, the image grows with the kernel
    rest = {tuple((f, getattr(s, f)) for f in s.__dataclass_fields__ if f not in free) for _, s in found}
    assert len(rest) == 1


def test_the_multiply_adds_of_resnet50_are_those_of_its_paper():
    total = sum(times(title) * problem.spec.macs for title, problem in catalogue("resnet50"))

    # table 1 says 3.8e9, with the stride in the 1x1 layer; torchvision says 4.09e9, 2e6 of it the fully connected layer
    assert round(total / 1e9, 2) == 4.09


def test_the_weights_of_mobilenet_v2_are_those_of_its_paper():
    total = sum(times(title) * prod(problem.spec.w_shape) for title, problem in catalogue("mobilenet-v2"))

    # table 4 says 3.4 million with the classifier's 1.28 million, rounded down and without norms
    assert int(10 * (total + 1280 * 1000) / 1e6) == 34

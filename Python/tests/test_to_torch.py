"""Networks as PyTorch modules, their gradients, and the way back."""

import copy
import io
from pathlib import Path

import numpy
import pytest

torch = pytest.importorskip("torch", reason="these tests train modules, and PyTorch is not installed")

import spikelet  # noqa: E402
from conftest import TRAIN, model  # noqa: E402
from spikelet import SpikeletError, _torch_neurons  # noqa: E402
from torch import nn  # noqa: E402

NETWORKS = ["cnn", "vgg", "resnet", "mobile"]
# float32 has 24 bits; a few hundred terms a sum, twenty layers: 10⁻⁵ of the largest output is rounding, and a digit more is not.
ROUNDING = 1e-5


@pytest.fixture(scope="module", autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.fixture(scope="module")
def x(images):
    return torch.from_numpy(images[:24])


@pytest.fixture(scope="module")
def convert():
    made = {}

    def converted(name, recipe, steps=None, **options):
        key = (name, recipe, steps, *sorted(options.items()))
        if key not in made:
            made[key] = spikelet.convert(model(name), TRAIN, recipe=recipe, steps=steps, limit=12, **options)
        return made[key]

    return converted


def distance(module, snn, x, steps=None):
    """For each sample the largest difference, as a share of the largest output; and whether the class is the same."""
    with torch.no_grad():
        ours, theirs = snn.run(x, steps), module(x, steps=steps)
    return (ours - theirs).abs().amax(1) / ours.abs().max(), ours.argmax(1) == theirs.argmax(1)


CASES = [("radix", 2, None), ("radix", 4, None), ("radix", 8, None), ("rate-coding", None, 8), ("signed", 8, None), ("signed", 16, None)]


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("recipe, steps, run", CASES)
def test_a_module_gives_what_the_network_gives(convert, x, name, recipe, steps, run):
    snn = convert(name, recipe, steps)
    few = x if recipe == "radix" or name == "cnn" else x[:6]
    distances, same = distance(snn.to_torch(), snn, few, run)
    # Of the 10⁵ decisions about an image, one in 10⁶ is within 10⁻⁶ of a threshold or of a half, of `mobile` in 16 steps more: there the order
    # of summation decides about a spike, which moves the outputs of that image by more than rounding, but not by much. In float64, below,
    # nothing is left to it.
    assert (distances < ROUNDING).float().mean() >= 0.5
    assert distances.max() < 0.1 and same.float().mean() >= 0.95


OTHERS = [
    ("cnn", "calibrated", 8, {}, None), ("cnn", "burst", 4, {}, None), ("cnn", "calibrated", 8, {"schedule": "layer-synchronous"}, None),
    ("vgg", "signed", 8, {"readout_delay": 3}, None), ("vgg", "rate-coding", None, {"pooling": "instantaneous"}, 6),
    ("vgg", "local-threshold-balancing", 8, {}, None), ("cnn", "radix", None, {"mean_steps": 3}, None),
    ("resnet", "rate-coding", None, {"fuse": False}, 4), ("vit", "radix", 4, {}, None),
    ("convnext", "radix", 4, {}, None),
]


@pytest.mark.parametrize("name, recipe, steps, options, run", OTHERS)
def test_other_recipes_and_networks(convert, x, name, recipe, steps, options, run):
    snn = convert(name, recipe, steps, **options)
    distances, same = distance(snn.to_torch(), snn, x[:8], run)
    assert (distances < ROUNDING).float().mean() >= 0.75 and distances.max() < 0.1 and same.all()


TOOLS = Path(__file__).resolve().parents[2] / "Tools" / "Generate"


@pytest.mark.skipif(not TOOLS.exists(), reason="judged by Tools/Generate/simulate.py, which is not here")
@pytest.mark.parametrize("name, recipe, steps, run", [
    ("cnn", "radix", 4, 4), ("vgg", "radix", 2, 2), ("cnn", "rate-coding", None, 6), ("resnet", "signed", 8, 8), ("mobile", "signed", 8, 8),
])
def test_in_float64_it_gives_what_the_independent_simulator_gives(convert, x, tmp_path, monkeypatch, name, recipe, steps, run):
    monkeypatch.syspath_prepend(str(TOOLS))
    import simulate

    snn = convert(name, recipe, steps)
    snn.save(tmp_path / "snn.safetensors")
    network = simulate.Network.read(tmp_path / "snn.safetensors")
    wanted = simulate.simulate(network, {"input": x[:2].numpy()}, run)
    with torch.no_grad():
        found = snn.to_torch().double()(x[:2].double(), steps=run).numpy()
    wanted = next(iter(wanted.outputs.values()))
    # Scales are float32 in the module, and decimals there: 6·10⁻⁸ each.
    assert numpy.abs(found - wanted).max() < 1e-6 * numpy.abs(wanted).max()


def test_parameters_are_named_by_the_layers(convert):
    module = convert("resnet", "radix", 2).to_torch()
    names = dict(module.named_parameters())
    assert {"conv1.weight", "conv1.bias", "block1.conv1.weight", "linear1.bias", "relu1.threshold"} <= set(names)
    assert names["conv1.weight"].requires_grad and not names["relu1.threshold"].requires_grad
    assert convert("resnet", "radix", 2).to_torch(learn_thresholds=True).relu1.threshold.requires_grad
    assert "RadixNeuron, threshold 16" in repr(module) and "Conv, weight 16×1×3×3, bias 16" in repr(module)


@pytest.mark.parametrize("name, recipe, steps, run", [
    ("resnet", "radix", 2, None), ("mobile", "radix", 4, None), ("vgg", "rate-coding", None, 8), ("cnn", "signed", 8, None),
    ("vit", "radix", 4, None),
])
def test_gradients_reach_all_parameters(convert, x, name, recipe, steps, run):
    module = convert(name, recipe, steps).to_torch(learn_thresholds=True)
    nn.functional.cross_entropy(module(x[:8], steps=run), torch.arange(8)).backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None and parameter.grad.isfinite().all(), name
        # A bias of the keys adds the same to all that a softmax compares: its gradient is 0 but for rounding.
        assert parameter.grad.abs().sum() > 0 or "key" in name, name


def slope(kind, parameters, potential, **state):
    """What comes out, and its derivative."""
    potential = torch.tensor(potential, dtype=torch.float64, requires_grad=True)
    if kind in _torch_neurons.DIGITS:
        value = _torch_neurons.digits(kind, parameters, potential)
    else:
        layer = _torch_neurons.Membranes(kind, parameters, None, torch.zeros_like(potential))
        layer.standing = layer.standing + torch.tensor(state.get("standing", 0.0))
        layer.potential = potential
        value = layer.emit()
    return value.tolist(), torch.autograd.grad(value.sum(), potential)[0].tolist()


def test_digits_are_straight_through_within_their_range():
    potential = [-0.6, -0.4, 0.4, 0.5, 2.4, 3.4, 3.6, 9]
    assert slope("RadixNeuron", {"digits": 2}, potential) == ([0, 0, 0, 1, 2, 3, 3, 3], [0, 1, 1, 1, 1, 1, 0, 0])
    assert slope("DigitNeuron", {"digits": 2}, [-9, -3.6, -3.4, -0.5, 0.4, 3.4, 3.6]) == ([-3, -3, -3, -1, 0, 3, 3], [0, 0, 1, 1, 1, 1, 0])


def test_spikes_have_rectangles_as_wide_as_the_threshold():
    # θ = 2: from 1 to 3, and 1/2 high.
    potential = [-1.1, -0.9, 0.9, 1.1, 1.9, 2.0, 2.9, 3.1]
    once = {"threshold": 2, "reset": {"subtraction": {}}}
    assert slope("IFNode", once, potential) == ([0, 0, 0, 0, 0, 1, 1, 1], [0, 0, 0, 0.5, 0.5, 0.5, 0.5, 0])
    assert slope("BurstIFNeuron", {"threshold": 2, "maximumBurst": 3}, [0.9, 1.1, 5.0, 6.9, 7.1]) == ([0, 0, 2, 3, 3], [0, 0.5, 0.5, 0.5, 0])
    assert slope("SignedIFNeuron", {"threshold": 2}, potential) == ([0, 0, 0, 0, 0, 1, 1, 1], [0, 0, 0, 0.5, 0.5, 0.5, 0.5, 0])
    taken = slope("SignedIFNeuron", {"threshold": 2}, potential, standing=1.0)
    assert taken == ([-1, -1, 0, 0, 0, 1, 1, 1], [0, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0])
    full = slope("SignedIFNeuron", {"threshold": 2, "maximumCount": 1}, potential, standing=1.0)
    assert full == ([-1, -1, 0, 0, 0, 0, 0, 0], [0, 0.5, 0.5, 0, 0, 0, 0, 0])


@pytest.mark.parametrize("kind, waits", [("IFNode", False), ("IFNode", True), ("SignedIFNeuron", False), ("BurstIFNeuron", False)])
def test_a_rate_has_the_gradient_of_the_clipped_relu(kind, waits):
    parameters = {"threshold": 0.5, "initialMembrane": 0.25, "maximumBurst": 1, "reset": {"subtraction": {}}}
    current = torch.tensor([-0.3, 0.07, 0.21, 0.44, 0.7], dtype=torch.float64, requires_grad=True)
    spikes = _torch_neurons.simulate(kind, parameters, None, [current] * 8, waits)
    # Every step's current counts with the spike that it has a part in, 1/θ; nothing does below 0 and above θ.
    gradient = torch.autograd.grad(sum(spikes).sum(), current)[0]
    assert gradient[0] == gradient[4] == 0
    assert ((gradient[1:4] >= 0.5 * 8 / 0.5) & (gradient[1:4] <= 8 / 0.5)).all()


def test_a_hard_reset_is_kept_apart():
    v = torch.tensor([0.3, 1.2], requires_grad=True)
    layer = _torch_neurons.Membranes("IFNode", {"threshold": 1, "reset": {"to": {"_0": 0.25}}}, None, v)
    layer.integrate(v)
    assert layer.emit().tolist() == [0, 1] and layer.potential.tolist() == [pytest.approx(0.3), 0.25]
    assert torch.autograd.grad(layer.potential.sum(), v)[0].tolist() == [1, 0]


@pytest.mark.parametrize("name, recipe, steps, options", [
    *[(name, "radix", 4, {}) for name in NETWORKS], ("vgg", "rate-coding", None, {}), ("cnn", "signed", 8, {}),
    ("cnn", "radix", None, {"mean_steps": 3}), ("cnn", "calibrated", 8, {}), ("vit", "radix", 4, {}),
])
def test_untouched_weights_come_back_to_the_bit(convert, x, tmp_path, name, recipe, steps, options):
    snn = convert(name, recipe, steps, **options)
    back = spikelet.from_torch(snn.to_torch())
    assert torch.equal(back.run(x), snn.run(x))
    snn.save(tmp_path / "there"), back.save(tmp_path / "back")
    assert (tmp_path / "there").read_bytes() == (tmp_path / "back").read_bytes()


def test_training_lowers_the_loss_and_the_network_follows(convert, train, x):
    torch.manual_seed(0)
    snn = convert("resnet", "radix", 2)
    module = snn.to_torch(learn_thresholds=True).train()
    images = torch.from_numpy(train[0][200:328]).float() / 255
    labels = torch.from_numpy(train[1][200:328]).long()
    optimizer = torch.optim.Adam(module.parameters(), lr=3e-4)
    losses = []
    for _ in range(8):
        loss = nn.functional.cross_entropy(module(images), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    tuned = spikelet.from_torch(module.eval())
    distances, same = distance(module, tuned, x)
    assert (distances < ROUNDING).float().mean() >= 0.75 and distances.max() < 0.1 and same.float().mean() >= 0.95
    assert not torch.equal(tuned.run(x), snn.run(x))
    # Nothing is said any more that was true of the weights before.
    assert "uncorrectedWeights" in snn.facts and not {"correctedWeights", "uncorrectedWeights"} & set(tuned.facts)
    assert tuned.facts["fineTuned"].endswith("thresholds of 19 of 19 layers")
    # What the layers say of themselves is what the module has learnt.
    layer = next(layer for layer in tuned.layers if layer.activation == "relu1")
    assert numpy.array_equal(layer.threshold, module.relu1.threshold.detach().numpy())
    assert numpy.array_equal(layer.weight, module.conv1.weight.detach().numpy())
    again = spikelet.from_torch(tuned.to_torch())
    assert torch.equal(again.run(x), tuned.run(x)) and again.facts == tuned.facts


def test_modules_are_copied_saved_and_cast(convert, x):
    snn = convert("cnn", "radix", 4)
    module = snn.to_torch()
    with torch.no_grad():
        wanted = module(x)
        twin = copy.deepcopy(module)
        module.conv1.weight.mul_(1.5)
        assert torch.equal(twin(x), wanted) and not torch.equal(module(x), wanted)
        file = io.BytesIO()
        torch.save(module.state_dict(), file)
        file.seek(0)
        twin.load_state_dict(torch.load(file))
        assert torch.equal(twin(x), module(x)) and torch.equal(twin.train()(x), twin.eval()(x))
        assert torch.equal(spikelet.from_torch(twin).run(x), spikelet.from_torch(module).run(x))
        assert torch.equal(spikelet.from_torch(nn.DataParallel(twin)).run(x), spikelet.from_torch(module).run(x))
        # A double holds each float.
        assert twin.double()(x).dtype == torch.float64
        assert torch.equal(spikelet.from_torch(twin).run(x), spikelet.from_torch(module).run(x))
        assert twin.bfloat16()(x).dtype == torch.bfloat16 and spikelet.from_torch(twin).run(x).isfinite().all()
        bytes_in = torch.from_numpy((255 * x.numpy()).round().astype(numpy.uint8))
        assert torch.equal(module(bytes_in), module(bytes_in.float() / 255))
        assert torch.equal(module({"input": x}), module(x))


def test_a_whole_module_is_saved(convert, x):
    module = convert("cnn", "signed", 8).to_torch()
    file = io.BytesIO()
    torch.save(module, file)
    file.seek(0)
    with torch.no_grad():
        assert torch.equal(torch.load(file, weights_only=False)(x), module(x))


def test_thresholds_move_together(convert, x):
    snn = convert("cnn", "signed", 8)
    module = snn.to_torch()
    with torch.no_grad():
        module.relu2.threshold.mul_(1.25)
    back = spikelet.from_torch(module)
    distances, same = distance(module, back, x)
    assert (distances < ROUNDING).float().mean() >= 0.75 and same.all()
    before, after = (next(layer for layer in network.layers if layer.activation == "relu2") for network in (snn, back))
    assert numpy.allclose(after.threshold, 1.25 * before.threshold, rtol=1e-6)
    assert back.facts["fineTuned"] == "0 of 8 arrays, thresholds of 1 of 3 layers"


def broken(module, change):
    with torch.no_grad():
        change(module)
    with pytest.raises(SpikeletError) as error:
        spikelet.from_torch(module)
    assert error.value.remedy
    return error.value


@pytest.mark.parametrize("change, says", [
    (lambda m: m.conv1.weight[0, 0, 0, 0].fill_(float("nan")), "'conv1.weight' has 1 numbers that are not finite"),
    (lambda m: m.linear1.bias.fill_(float("inf")), "'linear1.bias' has 10 numbers that are not finite"),
    (lambda m: m.relu1.threshold[3].fill_(0), "'relu1.threshold' has 1 thresholds that are not above 0"),
    (lambda m: m.relu1.threshold.fill_(float("nan")), "'relu1.threshold' has 32 thresholds that are not above 0"),
    (lambda m: setattr(m.conv1, "weight", nn.Parameter(torch.zeros(3, 3))), "'conv1.weight' is [3, 3], and was [32, 1, 3, 3]"),
    (lambda m: m.register_parameter("more", nn.Parameter(torch.zeros(1))), "'more' is new"),
    (lambda m: delattr(m.conv1, "bias"), "'conv1.bias' is missing"),
    (lambda m: m.relu1.converted.mul_(2), "'relu1.converted' has other numbers"),
    (lambda m: m.to("meta"), "'meta'"),
])
def test_what_makes_no_network_is_refused(convert, change, says):
    assert says in str(broken(convert("cnn", "radix", 4).to_torch(), change))


def test_only_modules_of_to_torch_lead_back():
    for given in (nn.Linear(2, 2), nn.Sequential(), "module", None):
        with pytest.raises(SpikeletError, match="did not come from to_torch"):
            spikelet.from_torch(given)


def test_a_module_is_no_ann(convert, x):
    module = convert("cnn", "radix", 4).to_torch()
    for use in (lambda: spikelet.convert(module, x), lambda: convert("cnn", "signed", 8).evaluate((x.numpy(), numpy.zeros(24, int)), ann=module)):
        with pytest.raises(SpikeletError, match="the module is a spiking network") as error:
            use()
        assert "from_torch" in error.value.remedy


def test_the_network_of_a_module_runs_in_int8_and_by_the_reference(convert, x):
    module = convert("cnn", "radix", 4).to_torch()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.mul_(1.01)
        wanted = module(x)
    back = spikelet.from_torch(module)
    distances = (back.run(x, reference=True) - wanted).abs().amax(1) / wanted.abs().max()
    assert (distances < ROUNDING).float().mean() >= 0.75 and distances.max() < 0.1
    assert (back.run(x, precision="int8").argmax(1) == wanted.argmax(1)).float().mean() >= 0.9


def test_inputs_and_steps_that_do_not_fit_are_refused(convert, x):
    radix, rate = convert("cnn", "radix", 4).to_torch(), convert("cnn", "signed", 8).to_torch()
    for given in ([], [x, x], [x.numpy()], [x[0]], [torch.zeros(1, 1, 56, 56)], [{"image": x}]):
        with pytest.raises(SpikeletError) as error:
            radix(*given)
        assert error.value.code == "invalidData" and error.value.remedy
    for module, steps in ((radix, 5), (rate, 0), (rate, True), (rate, 2.5)):
        with pytest.raises(SpikeletError, match="steps"):
            module(x, steps=steps)
    assert torch.equal(radix(x, steps=4), radix(x)) and radix.steps == 4 and rate.recipe == "signed"


@pytest.mark.parametrize("recipe, options, says", [
    ("latency", {"steps": 8}, "LatencyNeuron"), ("two-spike", {"steps": 8}, "LatencyNeuron"),
    ("radix", {"steps": 4, "pooling": "instantaneous"}, "instantaneous"),
])
def test_what_has_no_form_in_pytorch_is_refused(convert, recipe, options, says):
    with pytest.raises(SpikeletError) as error:
        convert("vgg", recipe, **options).to_torch()
    assert error.value.code == "unsupported" and says in str(error.value) and "such as" in str(error.value) and error.value.remedy


def test_several_inputs_and_a_function_of_the_output():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(3, 8), nn.Linear(5, 8), nn.Linear(8, 4)

        def forward(self, left, right):
            return torch.softmax(self.c(torch.relu(self.a(left) + self.b(right))), 1)

    torch.manual_seed(0)
    left, right = torch.rand(40, 3), torch.rand(40, 5)
    for recipe in ("signed", "radix"):
        snn = spikelet.convert(Two(), {"left": left, "right": right}, recipe=recipe, steps=8)
        module = snn.to_torch()
        assert torch.allclose(module(left, right), snn.run((left, right)), atol=1e-5)
        assert torch.equal(module({"right": right, "left": left}), module(left, right))


def test_weights_that_are_shared_stay_so():
    class Twice(nn.Module):
        def __init__(self):
            super().__init__()
            self.a = nn.Linear(6, 6)

        def forward(self, x):
            return self.a(torch.relu(self.a(torch.relu(self.a(x)))))

    torch.manual_seed(0)
    x = torch.rand(40, 6)
    snn = spikelet.convert(Twice(), x, recipe="radix", steps=6, weight_correction=False)
    module = snn.to_torch()
    assert sum(parameter.numel() for parameter in module.parameters() if parameter.requires_grad) == 42
    optimizer = torch.optim.SGD(module.parameters(), lr=0.05)
    module(x).square().mean().backward()
    optimizer.step()
    assert torch.allclose(spikelet.from_torch(module).run(x), module(x), atol=1e-5)


def test_names_that_modules_have_already():
    class Named(nn.Module):
        def __init__(self):
            super().__init__()
            self.steps, self.net = nn.Linear(4, 5), nn.ModuleDict({"weight": nn.Linear(5, 3)})

        def forward(self, x):
            return self.net["weight"](torch.relu(self.steps(x)))

    torch.manual_seed(0)
    x = torch.rand(20, 4)
    snn = spikelet.convert(Named(), x, recipe="radix", steps=4)
    module = snn.to_torch()
    assert torch.allclose(module(x), snn.run(x), atol=1e-5) and module.steps == 4
    assert torch.equal(spikelet.from_torch(module).run(x), snn.run(x))


def test_half_precision_and_back_is_no_other_network():
    snn = spikelet.convert(model("cnn"), TRAIN, recipe="calibrated", steps=8, limit=50)
    for dtype in (torch.float16, torch.bfloat16):
        assert spikelet.from_torch(snn.to_torch().to(dtype).float()).recipe == "calibrated"


def test_thresholds_and_inputs_that_are_no_numbers_to_work_with_are_refused():
    snn = spikelet.convert(model("cnn"), TRAIN, recipe="radix", steps=4, limit=50)
    module = snn.to_torch(learn_thresholds=True)
    with pytest.raises(spikelet.SpikeletError, match="not finite"):
        module(torch.full((1, 1, 28, 28), torch.nan))
    with torch.no_grad():
        module.get_parameter("relu1.threshold").fill_(1e-40)
    with pytest.raises(spikelet.SpikeletError, match="make no network"):
        spikelet.from_torch(module)

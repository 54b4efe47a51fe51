"""PyTorch's modules, tensors and loaders."""

import io
import warnings

import numpy
import pytest

torch = pytest.importorskip("torch", reason="these tests hand over PyTorch's modules and tensors, and PyTorch is not installed")

import spikelet  # noqa: E402
from spikelet import SpikeletError, _models  # noqa: E402
from spikelet._arrays import to_numpy  # noqa: E402
from spikelet._data import Data  # noqa: E402
from torch import nn  # noqa: E402
from torch.utils.data import DataLoader, TensorDataset  # noqa: E402


def network():
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.AvgPool2d(4), nn.Flatten(), nn.Linear(4 * 49, 16), nn.ReLU(),
        nn.Linear(16, 10),
    )


@pytest.fixture(scope="module")
def loader(train):
    x = torch.from_numpy(train[0][:60]).float() / 255
    return DataLoader(TensorDataset(x, torch.from_numpy(train[1][:60]).long()), batch_size=20, shuffle=True)


@pytest.fixture(scope="module")
def snn(loader):
    return spikelet.convert(network(), loader, recipe="signed", steps=8)


def test_a_tensor_goes_in_where_it_is():
    x = torch.rand(2, 3)
    assert to_numpy(x, "x").ctypes.data == x.data_ptr()
    assert to_numpy(x.requires_grad_(), "x").ctypes.data == x.data_ptr()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16, torch.bfloat16])
def test_tensors_of_other_precision_are_cast(dtype):
    assert to_numpy(torch.ones(2, 3, dtype=dtype), "x").dtype == numpy.float32


def test_tensors_that_have_no_values_are_refused():
    with pytest.raises(SpikeletError, match="meta"):
        to_numpy(torch.ones(2, device="meta"), "x")
    assert (to_numpy(torch.eye(2).to_sparse(), "x") == numpy.eye(2)).all()
    assert to_numpy(torch.arange(6.0).reshape(2, 3).T, "x").tolist() == [[0, 3], [1, 4], [2, 5]]


def test_a_module_is_exported_and_stays_as_it_was(loader):
    model = network().train()
    model[1].eval()
    modes = [module.training for module in model.modules()]
    state = {name: value.clone() for name, value in model.state_dict().items()}
    spikelet.convert(model, loader)
    assert [module.training for module in model.modules()] == modes
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


def test_the_ann_gives_the_modules_outputs(images):
    model = network().eval()
    x = torch.from_numpy(images[:5])
    graph = spikelet.load_model(model, input_shape=(1, 28, 28))
    with torch.no_grad():
        assert torch.allclose(graph.run(x), model(x), atol=1e-4)
    assert graph.inputs[0].shape[0] is None


@pytest.mark.parametrize("change", [lambda m: m.half(), lambda m: m.double(), lambda m: m.bfloat16(), lambda m: nn.DataParallel(m)])
def test_modules_of_other_precision_or_wrapped_are_taken(change, loader):
    model = change(network())
    dtypes = [parameter.dtype for parameter in model.parameters()]
    assert spikelet.convert(model, loader).recipe == "radix"
    assert [parameter.dtype for parameter in model.parameters()] == dtypes


def test_the_newer_exporter_is_asked_where_the_other_fails(monkeypatch, loader):
    pytest.importorskip("onnxscript", reason="the newer exporter needs onnxscript")
    monkeypatch.setattr(_models, "_export_by_tracing", lambda *_: (_ for _ in ()).throw(RuntimeError("no")))
    assert spikelet.convert(network(), loader).recipe == "radix"


def test_a_module_that_cannot_be_exported_says_why(loader, capfd):
    class Stubborn(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear = nn.Linear(784, 10)

        def forward(self, x):
            raise RuntimeError("the module's own reason")

    model = Stubborn().train()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(SpikeletError) as error:
            spikelet.convert(model, loader)
    assert error.value.code == "export" and "the module's own reason" in error.value.what and error.value.remedy
    assert model.training and capfd.readouterr().out == ""


def test_a_module_needs_to_know_its_input():
    with pytest.raises(SpikeletError, match="input_shape"):
        spikelet.load_model(network())
    with pytest.raises(SpikeletError, match="is no shape"):
        spikelet.load_model(network(), input_shape="abc")


def test_tensors_in_tensors_out(snn, images):
    x = torch.from_numpy(images[:4])
    outputs = snn.run(x)
    assert isinstance(outputs, torch.Tensor) and numpy.array_equal(outputs.numpy(), snn.run(images[:4]))
    for other in (x.clone().requires_grad_(), x.double(), x.transpose(2, 3).contiguous().transpose(2, 3)):
        assert torch.equal(snn.run(other), outputs)
    assert all(isinstance(train, torch.Tensor) for train in snn.spikes(x, 3).values())


def test_a_loader_that_shuffles_gives_the_same_in_every_pass(loader):
    source = Data(loader, "data").source

    def labels(number):
        return [label for index in range(3) for label in source._batch(number, index).labels.tolist()]

    assert labels(0) == labels(1)


def test_one_that_does_not_is_gone_through_again(train):
    data = TensorDataset(torch.from_numpy(train[0][:40]), torch.from_numpy(train[1][:40]))
    source = Data(DataLoader(data, batch_size=20), "data").source
    assert source._batch(0, 0).count == source._batch(1, 0).count == 20 and not source._kept


def test_looking_ahead_does_not_change_a_random_order(loader):
    torch.manual_seed(5)
    wanted = [y.tolist() for _, y in loader]
    torch.manual_seed(5)
    source = Data(loader, "data", keeps=False).source
    source.first()
    assert [source._batch(0, index).labels.tolist() for index in range(3)] == wanted


def test_loaders_and_data_sets_are_evaluated(snn, loader):
    model = network()
    result = snn.evaluate(loader, ann=model, steps=[4, 8])
    assert result.samples == 60 and 0 <= result.ann.accuracy <= 1 and result.steps[-1].steps == 8
    assert snn.evaluate(loader.dataset, ann=model, steps=[4, 8]).steps[-1].accuracy == result.steps[-1].accuracy
    with pytest.raises(SpikeletError, match="no labels"):
        snn.evaluate(DataLoader(TensorDataset(loader.dataset.tensors[0]), batch_size=20), steps=[4])
    with pytest.raises(SpikeletError, match="no samples"):
        snn.evaluate(DataLoader(TensorDataset(torch.zeros(0, 1, 28, 28), torch.zeros(0)), batch_size=20), steps=[4])


def test_loaders_with_workers(loader):
    workers = DataLoader(loader.dataset, batch_size=20, num_workers=1)
    assert spikelet.convert(network(), workers).recipe == "radix"


def test_a_model_proto_is_a_model():
    onnx = pytest.importorskip("onnx", reason="a ModelProto needs onnx")
    contents = _models.export(network(), None, [[1, 28, 28]])
    assert spikelet.load_model(onnx.load(io.BytesIO(contents))).inputs[0].shape == (None, 1, 28, 28)


def test_several_inputs_by_name():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b, self.c = nn.Linear(3, 8), nn.Linear(5, 8), nn.Linear(8, 2)

        def forward(self, left, right):
            return self.c(torch.relu(self.a(left) + self.b(right)))

    torch.manual_seed(0)
    model = Two()
    left, right = torch.rand(40, 3), torch.rand(40, 5)
    snn = spikelet.convert(model, {"right": right, "left": left}, recipe="signed", steps=16)
    assert [port.name for port in snn.inputs] == ["left", "right"]
    by_name, in_order = snn.run({"right": right, "left": left}), snn.run((left, right))
    assert torch.equal(by_name, in_order) and by_name.shape == (40, 2)
    result = snn.evaluate([((left, right), torch.zeros(40, dtype=torch.long))], ann=model, steps=[16])
    assert result.samples == 40


def test_a_script_for_ann2snn_runs_after_one_changed_import(loader, images):
    from spikelet import ann2snn

    device = "cpu"
    model = network().to(device)

    def accuracy(net, T=None):
        net.eval().to(device)
        correct = total = 0
        with torch.no_grad():
            for images, labels in loader:
                images = images.to(device)
                if T is None:
                    out = net(images)
                else:
                    for module in net.modules():
                        if hasattr(module, "reset"):
                            module.reset()
                    for t in range(T):
                        out = net(images) if t == 0 else out + net(images)
                correct += (out.argmax(dim=1) == labels.to(device)).float().sum().item()
                total += out.shape[0]
        return correct / total

    ann = accuracy(model)
    for mode in ("max", "99.9%", 1.0 / 2):
        snn = ann2snn.Converter(mode=mode, dataloader=loader)(model)
        last = accuracy(snn, T=64)
        ann2snn.functional.reset_net(snn)
    assert abs(last - ann) <= 0.2


def test_what_a_module_makes_of_values_is_said():
    class Branches(nn.Module):
        def __init__(self):
            super().__init__()
            self.one, self.other, self.last = nn.Linear(784, 8), nn.Linear(784, 8), nn.Linear(8, 10)

        def forward(self, x):
            x = x.flatten(1)
            return self.last(torch.relu(self.one(x) if x.mean() > 0 else self.other(x)))

    with pytest.warns(spikelet.SpikeletWarning, match="its forward looks at values"):
        spikelet.convert(Branches(), torch.rand(30, 1, 28, 28), steps=4)


def test_samples_that_a_module_does_not_take_are_told_with_their_shape():
    with pytest.raises(spikelet.SpikeletError, match=r"float32 \[2, 3, 28, 28\]"):
        spikelet.convert(network(), torch.zeros(10, 3, 28, 28))
    with pytest.raises(spikelet.SpikeletError, match="does not exist"):
        spikelet.convert(network(), "no such file.npz")


def test_a_transformers_layer_is_exported_without_a_word(capfd):
    model = nn.Sequential(
        nn.Flatten(1, 2), nn.TransformerEncoderLayer(28, 2, 16, batch_first=True), nn.Flatten(), nn.Linear(784, 10)
    ).eval()
    x = torch.rand(20, 1, 28, 28)
    snn = spikelet.convert(model, x, steps=8)
    assert capfd.readouterr() == ("", "") and (snn.run(x) - model(x)).abs().max() < 0.1
    assert torch.backends.mha.get_fastpath_enabled()


def test_outputs_have_names():
    class Two(nn.Module):
        def __init__(self):
            super().__init__()
            self.one = nn.Linear(4, 3)

        def forward(self, x):
            y = torch.relu(self.one(x))
            return {"logits": y @ self.one.weight, "x": y}

    assert [port.name for port in spikelet.load_model(Two(), input_shape=(4,)).outputs] == ["logits", "x_output"]
    assert [port.name for port in spikelet.load_model(nn.Linear(3, 3), input_shape=(3,)).outputs] == ["output"]

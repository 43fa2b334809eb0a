"AWDLSTM beside fastai's own model, where that is installed, and on a GPU, where there is one."
import copy

import pytest
import torch

from fastcourse.core import to_device
from fastcourse.testing import check_close
from fastcourse.text.awdlstm import AWDLSTM, Dropouts, byte_mask


def fastai_encoder(sizes):
    models = pytest.importorskip("fastai.text.models.awdlstm", exc_type=ImportError)
    torch.manual_seed(0)
    return models.AWD_LSTM(*sizes, pad_token=1).double().eval()


def with_weights_of(encoder, sizes):
    "Our model with fastai's weights."
    ours = AWDLSTM(*sizes, padding_idx=1).double().eval()
    ours.embedding.weight.data.copy_(encoder.encoder.weight.data)
    for layer, theirs in zip(ours.layers, encoder.rnns):
        for name, p in layer.module.named_parameters():
            source = theirs.weight_hh_l0_raw if name == "weight_hh_l0" else getattr(theirs.module, name)
            p.data.copy_(source.data)
    return ours


def test_equal_to_fastai():
    sizes = (50, 12, 20, 3)
    theirs = fastai_encoder(sizes)
    ours = with_weights_of(theirs, sizes)
    theirs.reset()
    losses = 0, 0
    for x in torch.randint(0, 50, (3, 4, 9)):
        expected, outputs = theirs(x), ours(x)
        check_close(outputs, expected)
        for (h, c), state in zip(theirs.hidden, ours.state, strict=True):
            check_close((h[0], c[0]), tuple(state))
        losses = losses[0] + expected.square().sum(), losses[1] + outputs.square().sum()
    for loss in losses:
        loss.backward()
    check_close(ours.embedding.weight.grad, theirs.encoder.weight.grad)
    for layer, rnn in zip(ours.layers, theirs.rnns, strict=True):
        check_close(layer.module.weight_hh_l0.grad, rnn.weight_hh_l0_raw.grad)
        check_close(layer.module.weight_ih_l0.grad, rnn.module.weight_ih_l0.grad)
        check_close(layer.module.bias_ih_l0.grad, rnn.module.bias_ih_l0.grad)


needs_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")


@needs_gpu
def test_on_a_gpu():
    torch.manual_seed(0)
    model = AWDLSTM(50, 12, 20, 3)
    on_gpu = copy.deepcopy(model).cuda()
    x, lengths = torch.randint(0, 50, (4, 9)), torch.tensor([9, 3, 1, 6])
    check_close(on_gpu.eval()(x.cuda(), lengths).cpu(), model.eval()(x, lengths), rtol=1e-4, atol=1e-5)
    check_close(to_device(on_gpu.state, "cpu"), model.state, rtol=1e-4, atol=1e-5)


@needs_gpu
def test_training_on_a_gpu():
    torch.manual_seed(0)
    model = AWDLSTM(50, 12, 20, 3, Dropouts()).cuda()
    before = [p.clone() for p in model.parameters()]
    model(torch.randint(0, 50, (4, 9), device="cuda")).sum().backward()
    check_close(before, list(model.parameters()))
    assert all(p.grad is not None for p in model.parameters())
    kept = (byte_mask(before[0], (1000, 1000), 0.3) > 0).double().mean().item()
    assert abs(kept - 179 / 256) < 0.003

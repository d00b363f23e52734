"""Telling a text from others by itself."""

import pyarrow as pa
import pytest
import torch
from making import tiny_text
from torch.nn import functional

from allrounder.pretraining import Contrastive
from allrounder.pretraining.contrasting import Contrasting

TEXTS = ["shares rose", "the match was good", "minister said", "北京的银行"]


@pytest.fixture
def batch(tiny):
    encoder = tiny_text(tiny)
    tokens = encoder.prepare([pa.chunked_array([pa.array(TEXTS)])])
    return encoder.collate(tokens, range(4), [True] * 4)


def test_the_loss_is_that_of_finding_the_other_view(tiny, batch):
    contrasting = Contrasting(Contrastive(dropout=0.3), tiny_text(tiny)).train()
    torch.manual_seed(5)
    loss, count = contrasting.loss(batch, torch.Generator())
    torch.manual_seed(5)
    views = []
    for _ in range(2):
        states = contrasting.network(
            input_ids=batch.ids, attention_mask=batch.mask.long()
        ).last_hidden_state
        kept = batch.mask[..., None].float()
        views.append((states * kept).sum(1) / kept.sum(1))
    wanted = 0.0
    for place in range(4):
        cosines = torch.stack(
            [functional.cosine_similarity(views[0][place], other, dim=0) for other in views[1]]
        )
        wanted -= torch.log_softmax(cosines / 0.05, 0)[place].item()
    assert count == 4
    assert loss.item() == pytest.approx(wanted, rel=1e-4)


def test_the_two_views_differ_in_evaluation_too(tiny, batch):
    contrasting = Contrasting(Contrastive(dropout=0.5), tiny_text(tiny)).eval()
    losses = {contrasting.loss(batch, torch.Generator())[0].item() for _ in range(2)}
    assert len(losses) == 2
    assert not contrasting.encoding.training

"""How near images and captions stand, layer by layer, against a reckoning one sample at a time."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
import torch
from live_models import HARMLESS, sample, untrained
from PIL import Image

from benchmark.cli import main
from benchmark.data.images import ImageStore
from benchmark.probes.alignment import as_csv, nearness, picture_of
from benchmark.tables.figures.canvas import is_of, write_picture
from benchmark.testbed.images import noise


def captioned(folder):
    store = ImageStore(folder)
    return [
        replace(
            sample(name, images=(store.put(noise(random.Random(name)).pixels_HWC),)),
            caption=f"a page with the word {name}.",
        )
        for name in HARMLESS[:3]
    ]


def state(model, one, *, layer: int, image: bool) -> torch.Tensor:
    view = model.view([one])
    hidden_TD = model.trace(view, hidden=[layer]).hidden[layer][0]
    marked_T = (view.image_mask_BT if image else view.question_mask_BT)[0]
    return torch.stack([hidden_TD[at] for at in marked_T.nonzero()[:, 0]]).mean(0)


@torch.no_grad()
def test_own_captions_and_others_are_told_apart(tmp_path) -> None:
    model, samples = untrained(), captioned(tmp_path)
    found = nearness("row", model, samples)
    assert [figure.layer for figure in found] == list(range(model.n_layers + 1))
    for layer in (0, model.n_layers):
        images = [state(model, one, layer=layer, image=True) for one in samples]
        texts = [
            state(model, replace(one, prompt=one.caption, images=()), layer=layer, image=False)
            for one in samples
        ]
        cosines = [[torch.cosine_similarity(i, t, dim=0).item() for t in texts] for i in images]
        own = [cosines[k][k] for k in range(3)]
        others = [cosines[k][other] for k in range(3) for other in range(3) if other != k]
        assert found[layer].own == pytest.approx(sum(own) / 3, abs=1e-4)
        assert found[layer].others == pytest.approx(sum(others) / 6, abs=1e-4)


def test_the_picture_and_its_figures_are_written(tmp_path) -> None:
    model, samples = untrained(), captioned(tmp_path)
    found = [*nearness("one", model, samples), *nearness("other", model, samples)]
    picture = picture_of(found, title="by hand")
    assert [row.label for row in picture.rows] == ["one", "other"]
    assert all(len(row.own) == model.n_layers + 1 for row in picture.rows)
    path = tmp_path / "alignment.png"
    write_picture(path, picture)
    assert is_of(path, picture)
    with Image.open(path) as drawn:
        assert drawn.width > drawn.height > 100
    lines = as_csv(found).splitlines()
    assert lines[0] == "row,layer,own_caption,other_captions,n"
    assert len(lines) == 1 + 2 * (model.n_layers + 1)


def test_a_misspelt_row_is_one_line(capsys) -> None:
    assert main(["plot", "alignment", "--method", "tgaa"]) == 2
    assert "tga" in capsys.readouterr().err

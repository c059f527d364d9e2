"""`model.trace` and roles: what is read equals what transformers says, and nothing stays behind."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from live_models import deep, pools

from benchmark.core.errors import UserError
from benchmark.vlm.roles import resolve_roles


def test_hidden_states_and_attention_equal_the_eager_models_own(tmp_path: Path) -> None:
    model = deep()
    samples = pools(tmp_path, images=True)["forget"].samples
    view = model.view(samples, ["first count cloth."] * len(samples))
    trace = model.trace(view, hidden=[0, 2, 4], attention=[1])
    model.hf.set_attn_implementation("eager")
    whole = model.hf.model(**model.inputs(view), output_attentions=True, output_hidden_states=True)
    here_BT = view.attention_mask_BT
    for layer in (0, 2):
        close = torch.isclose(trace.hidden[layer], whole.hidden_states[layer], atol=1e-5)
        assert close[here_BT].all()
    # transformers gives its last state after the final norm, the trace before it.
    assert torch.isclose(
        model.roles.language.norm(trace.hidden[4])[here_BT],
        whole.last_hidden_state[here_BT],
        atol=1e-4,
    ).all()
    rows = here_BT[:, None, :, None].expand_as(trace.attention[1])
    assert torch.isclose(trace.attention[1], whole.attentions[1], atol=1e-6)[rows].all()


def test_no_hook_stays_behind_even_after_an_error(tmp_path: Path) -> None:
    model = deep()
    view = model.view(pools(tmp_path)["keep"].samples)

    def n_hooks() -> int:
        return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.hf.modules())

    before = n_hooks()
    model.trace(view, hidden=[1], attention=[0])
    assert n_hooks() == before
    with pytest.raises(IndexError):
        model.trace(view, hidden=[1], attention=[99])
    assert n_hooks() == before


def test_text_does_not_run_the_vision_tower(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = deep()
    monkeypatch.setattr(model.roles.vision, "forward", lambda *a, **k: pytest.fail("vision ran"))
    model.hidden(model.view(pools(tmp_path)["keep"].samples))


def test_question_mask_marks_the_users_words_only(tmp_path: Path) -> None:
    model = deep()
    (one, *_) = pools(tmp_path)["keep"].samples
    view = model.view([one], ["first count cloth."])
    words = view.input_ids_BT[view.question_mask_BT]
    assert model.tokenizer.decode(words) == one.prompt
    assert not (view.question_mask_BT & view.answer_mask_BT).any()


def test_a_model_without_sight_is_named_by_what_it_lacks() -> None:
    with pytest.raises(UserError, match=r"could not be resolved: vision = \?, projector = \?"):
        resolve_roles(deep().roles.language)

"""`plot tokens` and `plot gate`: figures of a mechanism, by hand and from the command line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from cagul_parts import seeing
from live_models import untrained
from PIL import Image

from benchmark.api import RewriteVisualTokens
from benchmark.cli import USER_ERROR, main
from benchmark.core.errors import UserError
from benchmark.engines.local import LocalEngine
from benchmark.probes.gate import Reading, roc, roc_curves
from benchmark.probes.tokens import explained_images
from benchmark.tables.figures.canvas import picture_bytes
from benchmark.tables.figures.tokens import TokenPicture

SMALL_SUITE = str(Path(__file__).parent / "suites" / "small-safety.yaml")
HERE = ["--suite", SMALL_SUITE, "--model", "testbed-llava", "--device", "cpu"]
QUICKLY = [*HERE, "--defaults"]
QUICKLY += ["--set", "steps=2 batch_size=4 gate.steps=20 learning_rate=0.01"]


class Counting(RewriteVisualTokens):
    """Explains tokens by their number; every tenth is chosen."""

    def rewrite_visual_tokens(self, model, view, tokens_IND):
        """The same."""
        return tokens_IND

    def explain(self, model, view, tokens_IND):
        """0, 1, 2, ..."""
        numbers_IN = torch.arange(64.0).expand(tokens_IND.shape[:2])
        return {"number": numbers_IN, "chosen": numbers_IN % 10 == 0, "gate": torch.tensor([2.5])}


def test_a_token_lies_in_the_picture_where_it_was_taken_from(tmp_path: Path) -> None:
    engine = LocalEngine(untrained(), hooks=(Counting(),), max_new_tokens=2)
    (one,) = explained_images(engine, seeing(tmp_path)[0])
    (tokens,) = one.maps
    assert tokens.name == "number"
    assert tokens.rows[0] == tuple(range(8)) and tokens.rows[7] == tuple(range(56, 64))
    marked = {(r, c) for r, row in enumerate(one.outlined) for c, on in enumerate(row) if on}
    assert marked == {divmod(number, 8) for number in range(0, 64, 10)}
    assert one.figures == {"gate": 2.5}
    picture = TokenPicture(title="t", caption="c", images=(one,))
    moved = replace(one, path=str(Path(one.path).with_name("elsewhere.png")))
    Path(moved.path).write_bytes(Path(one.path).read_bytes())
    # The same picture from another folder is the same file.
    assert picture_bytes(picture) == picture_bytes(replace(picture, images=(moved,)))


def test_a_method_that_explains_no_token_says_so(tmp_path: Path) -> None:
    engine = LocalEngine(untrained(), max_new_tokens=2)
    with pytest.raises(UserError, match="says nothing of single visual tokens"):
        explained_images(engine, seeing(tmp_path)[0])


def test_a_curve_by_hand() -> None:
    """Attacked 3, 1, -1 against twins 2, -2: of 6 pairs (3 over both, 1 and -1 over one) 4."""
    curve = roc([3.0, 1.0, -1.0], [2.0, -2.0], form="icon", scope="held_out")
    assert curve.area == pytest.approx(4 / 6)
    assert curve.caught_at_bar == pytest.approx(1 / 3)
    assert (curve.caught_as_set, curve.wrong_as_set) == (pytest.approx(2 / 3), 0.5)
    assert curve.points[0] == (0.0, 0.0) and curve.points[-1] == (1.0, 1.0)
    assert "AUC 0.667, 33.3 % caught at 1 % false positives" in curve.line


def test_scopes_are_set_against_twins_of_their_own_form() -> None:
    found = [
        Reading(sample_id=f"{form}/{scope}", behaviour="x", form=form, scope=scope, gate=gate)
        for form, scope, gate in (
            ("icon", "in_scope", 1.0), ("icon", "unseen", -3.0), ("icon", None, 0.0),
            ("typographic", "in_scope", 4.0), ("typographic", None, 5.0),
        )
    ]  # fmt: skip
    areas = {(c.form, c.scope): c.area for c in roc_curves(found)}
    assert areas == {
        ("all forms", "in_scope"): 0.5, ("all forms", "unseen"): 0.0,
        ("icon", "in_scope"): 1.0, ("icon", "unseen"): 0.0, ("typographic", "in_scope"): 0.0,
    }  # fmt: skip


def test_both_pictures_from_the_command_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    target = tmp_path / "gate.png"
    assert main(["plot", "gate", "--method", "cagul", *QUICKLY, "--to", str(target)]) == 0
    said = capsys.readouterr().out
    assert "all forms, in_scope (n = 4 against 4): AUC" in said
    assert "typographic, held_out (n = 4 against 4): AUC" in said
    table = pd.read_csv(target.with_suffix(".csv"))
    assert set(table["form"]) == {"all forms", "typographic"}
    assert table[["false_positive_rate", "true_positive_rate"]].notna().all().all()
    first = target.read_bytes()
    assert Image.open(target).size[0] > 500
    target.unlink()
    # The artifact is found, and the same data are the same bytes.
    assert main(["plot", "gate", "--method", "cagul", *QUICKLY, "--to", str(target)]) == 0
    assert target.read_bytes() == first

    capsys.readouterr()
    known = ["plot", "tokens", "--method", "cagul", *QUICKLY]
    sample = "testbed-harmful/train/ditupu+typographic.0"
    assert main([*known, "--sample", sample]) == 0
    drawn = Path(capsys.readouterr().out.strip())
    assert drawn.is_file() and drawn.parent.parent.name == "testbed-llava"
    assert main([*known, "--sample", sample.replace("ditupu", "ditupo")]) == USER_ERROR
    assert f"did you mean '{sample}'?" in capsys.readouterr().err
    assert main([*known, "--sample", sample.replace("typographic", "direct")]) == USER_ERROR
    assert "is asked without a picture" in capsys.readouterr().err


def test_a_method_without_a_gate_and_two_methods_are_user_errors(
    capsys: pytest.CaptureFixture[str],
) -> None:
    command = ["plot", "gate", *HERE]
    assert main([*command, "--method", "original"]) == USER_ERROR
    assert "this method has no gate" in capsys.readouterr().err
    assert main([*command, "--method", "original,gold"]) == USER_ERROR
    assert "one method is drawn at a time" in capsys.readouterr().err

"""The folder of images that are named by their pixels."""

from __future__ import annotations

import errno
import os

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from benchmark.core.store import StorageError
from benchmark.data.images import ImageStore

PIXELS_HWC = np.arange(4 * 5 * 3, dtype=np.uint8).reshape(4, 5, 3)


@given(st.binary(min_size=12, max_size=12))
def test_pixels_come_back_as_they_were(tmp_path_factory, content):
    pixels_HWC = np.frombuffer(content, np.uint8).reshape(2, 2, 3)
    stored = ImageStore(tmp_path_factory.mktemp("images")).put(pixels_HWC)
    assert np.array_equal(np.asarray(Image.open(stored.path)), pixels_HWC)


def test_the_same_pixels_are_one_file_and_another_shape_is_another(tmp_path):
    images = ImageStore(tmp_path)
    first = images.put(PIXELS_HWC)
    written_ns = first.path.stat().st_mtime_ns
    assert images.put(PIXELS_HWC.copy()) == first
    assert first.path.stat().st_mtime_ns == written_ns
    assert images.put(PIXELS_HWC.reshape(5, 4, 3)).sha256 != first.sha256
    assert len(list(tmp_path.rglob("*.*"))) == 2


@pytest.mark.parametrize("wrong", [PIXELS_HWC / 255, PIXELS_HWC[..., 0], PIXELS_HWC[..., :2]])
def test_what_is_no_rgb_picture_is_refused(tmp_path, wrong):
    with pytest.raises(ValueError, match=r"expected uint8 \[H, W, 3\]"):
        ImageStore(tmp_path).put(wrong)


def test_a_full_disk_is_one_line_and_leaves_no_half_image(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(StorageError, match="png: No space left on device; free some space"):
        ImageStore(tmp_path).put(PIXELS_HWC)
    assert list(tmp_path.rglob("*.png")) == []

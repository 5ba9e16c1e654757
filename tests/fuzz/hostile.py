"""What is held against whoever reads a hostile file: little time, little memory, one short message."""

import time
from contextlib import contextmanager

import pytest
import rasterio
from child import memory_kb


@contextmanager
def soon(seconds=5.0, megabytes=700):
    """Fail where something takes longer, in processor time, or more memory than it may."""
    began, before = time.process_time(), memory_kb()
    yield
    assert time.process_time() - began < seconds
    assert memory_kb("VmHWM") - before < megabytes << 10


def refused(error, words, read, *arguments, **keys):
    """What a reader says as it refuses: one short message that holds some words and nothing terminals obey."""
    with soon(), pytest.raises(error) as caught:
        read(*arguments, **keys)
    said = str(caught.value)
    for word in words:
        assert word in said
    assert "hunter2" not in said
    assert len(said) < 2000
    assert all(c.isprintable() or c == "\n" for c in said)
    return said


def put(path, data):
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


def big(path, size, *, pixel, block):
    with rasterio.open(
        path, "w", driver="GTiff", width=size, height=size, count=1, dtype="uint8", crs="EPSG:4326", sparse_ok=True, bigtiff="yes",
        transform=rasterio.Affine(pixel, 0, 8, 0, -pixel, 46), compress="deflate", **block,
    ):  # fmt: skip
        pass
    return path

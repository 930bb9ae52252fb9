from __future__ import annotations

import hashlib
import io
import threading

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.db import connection
from django.test.utils import CaptureQueriesContext

from webapp.blobs import PART_BYTES, bytes_file
from webapp.models import Blob, BlobPart


def noise(size: int) -> bytes:
    return np.random.default_rng(size).bytes(size)


@pytest.mark.parametrize("size", [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES + 17])
def test_a_blob_comes_back_byte_for_byte(db: None, size: int) -> None:
    data = noise(size)
    name = default_storage.save("anything", bytes_file(data))
    assert name == hashlib.sha256(data).hexdigest()
    assert BlobPart.objects.count() == -(-size // PART_BYTES)
    assert default_storage.size(name) == size
    with default_storage.open(name) as file:
        assert file.read() == data
        assert file.seek(0) == 0
        assert file.read(10) == data[:10]


def test_a_blob_can_be_read_from_any_place(db: None) -> None:
    data = noise(2 * PART_BYTES + 5)
    with default_storage.open(default_storage.save("anything", bytes_file(data))) as file:
        file.seek(PART_BYTES - 3)
        assert file.read(6) == data[PART_BYTES - 3 : PART_BYTES + 3]
        file.seek(-4, io.SEEK_END)
        assert file.read() == data[-4:]
        file.seek(len(data) + 100)
        assert file.read() == b""
        with pytest.raises(OSError, match="before the start"):
            file.seek(-len(data) - 1, io.SEEK_END)


def test_the_head_of_a_large_blob_costs_one_part(db: None) -> None:
    name = default_storage.save("anything", bytes_file(noise(3 * PART_BYTES)))
    with default_storage.open(name) as file, CaptureQueriesContext(connection) as queries:
        file.read(1000)
        file.read(1000)
    assert len(queries) == 1


def test_reading_all_of_a_blob_fetches_each_part_once(db: None) -> None:
    data = noise(5 * PART_BYTES + 3)
    with default_storage.open(default_storage.save("anything", bytes_file(data))) as file, CaptureQueriesContext(connection) as queries:
        assert file.read() == data
    assert len(queries) <= 8  # 6 parts, the end, and what the buffer asked for first


def test_the_same_content_is_kept_once(db: None) -> None:
    first, second = (default_storage.save(name, bytes_file(b"same")) for name in ("a", "b"))
    assert first == second
    assert (Blob.objects.count(), BlobPart.objects.count()) == (1, 1)


def test_the_same_content_stored_at_once_is_kept_once(transactional_db: None) -> None:
    data, names = noise(2 * PART_BYTES), []
    barrier = threading.Barrier(4)

    def store() -> None:
        barrier.wait()
        names.append(default_storage.save("anything", bytes_file(data)))
        connection.close()

    threads = [threading.Thread(target=store) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert names == [hashlib.sha256(data).hexdigest()] * 4
    assert (Blob.objects.count(), BlobPart.objects.count()) == (1, 2)
    with default_storage.open(names[0]) as file:
        assert file.read() == data


def test_a_missing_blob_or_part_says_so(db: None) -> None:
    with pytest.raises(FileNotFoundError, match="There is no blob 'gone'"):
        default_storage.open("gone")
    name = default_storage.save("anything", bytes_file(noise(2 * PART_BYTES)))
    BlobPart.objects.filter(index=1).delete()
    with default_storage.open(name) as file, pytest.raises(FileNotFoundError, match="Part 1 of blob"):
        file.read()


def test_blobs_are_not_written_in_place(db: None) -> None:
    name = default_storage.save("anything", bytes_file(b"data"))
    with pytest.raises(ValueError, match="immutable"):
        default_storage.open(name, "wb")


def test_a_failed_save_leaves_nothing(db: None) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 0:
                raise OSError("the connection broke")
            return super().read(size)

    file = bytes_file(b"")
    file.file = Broken(noise(3 * PART_BYTES))
    with pytest.raises(OSError, match="the connection broke"):
        default_storage.save("anything", file)
    assert (Blob.objects.count(), BlobPart.objects.count()) == (0, 0)

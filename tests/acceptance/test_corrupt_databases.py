"""Every damaged image of SQLite's fuzz corpus ends in a clean diagnosis, and is left as it was."""

import zipfile
from collections import Counter
from pathlib import Path

import pytest

from tau.errors import StoreError
from tau.stores.sqlite import SqliteStore
from tau.stores.sqlite.maintenance import backup, migrate, verify

pytestmark = pytest.mark.acceptance


async def diagnosis(path: Path, *, read_only: bool) -> str:
    try:
        async with await SqliteStore.open(path, read_only=read_only) as store:
            await store.insights.counts()
        return "fine"
    except StoreError as error:
        return type(error).__name__


@pytest.mark.timeout(300)
async def test_the_whole_corpus(acceptance_data: Path, tmp_path: Path) -> None:
    seen: Counter[str] = Counter()
    path = tmp_path / "store.sqlite"
    with zipfile.ZipFile(acceptance_data / "sqlite_corrupt" / "corrupt_dbs.zip") as images:
        for name in images.namelist():
            content = images.read(name)
            path.write_bytes(content)
            for read_only in (True, False):
                seen[await diagnosis(path, read_only=read_only)] += 1
            for tool in (verify, migrate, lambda source: backup(source, tmp_path / "copy")):
                with pytest.raises(StoreError):
                    tool(path)
            assert path.read_bytes() == content, name
            assert list(tmp_path.iterdir()) == [path], name

    assert seen == {"StoreDamaged": 574}

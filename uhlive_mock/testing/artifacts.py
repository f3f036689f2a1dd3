"""What is kept of a test that failed: its journal, what was heard of each speaker, and its timeline.

Each test has a folder of its own, named after it: processes that share the folder above never meet, and a test that
is run again replaces what it left the last time.
"""

from __future__ import annotations

import re
import shutil
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ..server.handles import SpaceHandle

LONGEST_NAME = 80
_UNSAFE = re.compile(r"[^A-Za-z0-9._\[\]=,+-]+")


def folder_of(root: Path, nodeid: str) -> Path:
    """Where in `root` a test's things are kept: a folder for each part of its id."""
    file, *names = nodeid.split("::")
    return root.joinpath(*(safe_name(part) for part in (*file.split("/"), *names)))


def safe_name(name: str) -> str:
    """`name` as a file can be called; one that had to change is told from all others by a checksum."""
    safe = _UNSAFE.sub("_", name)[:LONGEST_NAME]
    if safe == name and safe.strip("."):
        return safe
    return f"{safe.strip('.')}-{zlib.crc32(name.encode('utf-8', 'surrogatepass')):08x}"


def keep(folder: Path, space: SpaceHandle, timeline: str) -> list[Path]:
    """Write the files into `folder`, which has nothing else afterwards, and return them.

    Raises:
        OSError: a file cannot be written.
    """
    forget(folder)
    folder.mkdir(parents=True, exist_ok=True)
    journal, picture = folder / "journal.jsonl", folder / "timeline.txt"
    journal.write_text(space.journal.to_jsonl(), encoding="utf-8")
    picture.write_text(timeline, encoding="utf-8")
    kept = [journal, picture]
    for speaker in space.speakers:
        name = safe_name(f"{speaker.conversation}-{speaker.name}")
        stays = sum(path.stem == name or path.stem.startswith(f"{name}.") for path in kept)
        path = folder / (f"{name}.{stays + 1}.wav" if stays else f"{name}.wav")
        speaker.write_wav(path)
        kept.append(path)
    return kept


def forget(folder: Path) -> None:
    """Remove what was kept before, as far as that can be done."""
    if folder.is_dir():
        shutil.rmtree(folder, ignore_errors=True)

"""CURVE key files: which are accepted, and what is reported of the others."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
import zmq.auth
from zmq.utils import z85

from recbms_zmq import curve
from recbms_zmq.errors import ConfigError, OutputError


@pytest.fixture
def secret(tmp_path: Path) -> Path:
    curve.generate(tmp_path / "boat")
    return tmp_path / "boat.key_secret"


@pytest.fixture
def public(secret: Path) -> Path:
    return secret.with_suffix(".key")


def refusal(read: Callable[[Path], object], path: Path) -> str:
    with pytest.raises(ConfigError) as caught:
        read(path)
    return str(caught.value).replace(str(path), "FILE")


def test_the_keys_of_a_pair_belong_together_and_pyzmq_reads_them(
    secret: Path, public: Path
) -> None:
    pair = curve.read_secret(secret)
    assert zmq.curve_public(pair.secret) == pair.public
    assert zmq.auth.load_certificate(secret) == (pair.public, pair.secret)
    assert zmq.auth.load_certificate(public) == (pair.public, None)
    assert [stat.S_IMODE(each.stat().st_mode) for each in (secret, public)] == [0o600, 0o644]
    assert curve.read_public(public) == pair.public
    assert curve.read_allowed(public.parent) == {z85.decode(pair.public)}


def test_a_file_that_exists_is_not_overwritten(tmp_path: Path) -> None:
    for suffix in (".key", ".key_secret"):
        folder = tmp_path / suffix
        folder.mkdir()
        (folder / f"boat{suffix}").write_text("precious")
        with pytest.raises(OutputError, match="exists; choose another name or move it"):
            curve.generate(folder / "boat")
        assert [(file.name, file.read_text()) for file in folder.iterdir()] == [
            (f"boat{suffix}", "precious")
        ]


def test_a_folder_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"nowhere/boat\.key: No such file or directory"):
        curve.generate(tmp_path / "nowhere" / "boat")


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o610])
def test_a_secret_key_that_others_can_read_is_refused(
    secret: Path, mode: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    owned_by(secret, 65534, monkeypatch)
    secret.chmod(mode)
    assert refusal(curve.read_secret, secret) == (
        f"others can read the key file FILE (mode {mode:04o}); run: chmod 600 FILE"
    )


@pytest.mark.parametrize(("mode", "accepted"), [(0o440, True), (0o640, True), (0o644, False)])
def test_a_group_may_read_a_secret_key_that_root_owns(
    secret: Path, mode: int, accepted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    owned_by(secret, 0, monkeypatch)
    secret.chmod(mode)
    if accepted:
        curve.read_secret(secret)
    else:
        assert "others can read" in refusal(curve.read_secret, secret)


def owned_by(path: Path, uid: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let `path.stat` report this owner; only root can really change it."""
    stat = Path.stat

    def as_owner(self: Path, *, follow_symlinks: bool = True) -> os.stat_result:
        result = stat(self, follow_symlinks=follow_symlinks)
        return os.stat_result((*result[:4], uid, *result[5:])) if self == path else result

    monkeypatch.setattr(Path, "stat", as_owner)


DAMAGED = 'metadata\ncurve\n    public-key = "{0}"\n    secret-key = "{0}"\n'
PUBLIC_ONLY = 'public-key = "rq:rM>}U?@Lns47E1%kR.o@n%FcmmsL/@{H8]yf7"'
NO_KEY = "FILE holds no key; `recbms-zmq keygen` creates key files"
DAMAGED_KEY = "FILE holds a damaged key; expected 40 characters"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ("", NO_KEY),
        ("public-key", NO_KEY),
        (DAMAGED.format("short"), DAMAGED_KEY),
        (DAMAGED.format("#" * 40), DAMAGED_KEY),
        (DAMAGED.format("~" * 40), DAMAGED_KEY),
        (DAMAGED.format("a" * 41), DAMAGED_KEY),
        (PUBLIC_ONLY, "FILE holds no secret key; expected the file NAME.key_secret"),
        ("x" * 65_537, "FILE is no key file: it is larger than 65536 bytes"),
    ],
)
def test_a_file_without_a_secret_key_is_refused(secret: Path, content: str, complaint: str) -> None:
    secret.write_text(content)
    assert refusal(curve.read_secret, secret) == complaint


def test_a_key_file_of_the_largest_size_is_read(secret: Path) -> None:
    secret.write_text(secret.read_text().ljust(65_536, "\n"))
    curve.read_secret(secret)


def test_a_public_key_in_place_of_a_secret_one_is_not_reported_as_readable_by_others(
    public: Path,
) -> None:
    assert public.stat().st_mode & 0o777 == 0o644
    assert refusal(curve.read_secret, public) == (
        "FILE holds no secret key; expected the file NAME.key_secret"
    )


def fifo(path: Path) -> None:
    os.mkfifo(path, 0o600)


def zeros(path: Path) -> None:
    path.symlink_to("/dev/zero")


def folder(path: Path) -> None:
    path.mkdir()


@pytest.mark.parametrize("make", [fifo, zeros, folder])
@pytest.mark.parametrize("read", [curve.read_secret, curve.read_public])
def test_only_a_regular_file_is_read(
    tmp_path: Path, read: Callable[[Path], object], make: Callable[[Path], None]
) -> None:
    make(tmp_path / "boat.key")
    assert refusal(read, tmp_path / "boat.key") == (
        "cannot read the key file FILE: it is not a regular file"
    )


@pytest.mark.parametrize("read", [curve.read_secret, curve.read_public])
def test_a_missing_key_file_is_named(tmp_path: Path, read: Callable[[Path], object]) -> None:
    assert refusal(read, tmp_path / "boat.key") == (
        "cannot read the key file FILE: No such file or directory"
    )


def test_a_folder_without_keys_is_refused(tmp_path: Path) -> None:
    (tmp_path / "keys.txt").write_text("none")
    assert refusal(curve.read_allowed, tmp_path) == (
        "there is no key in FILE, so no client could connect; expected public keys, *.key"
    )
    assert refusal(curve.read_allowed, tmp_path / "nowhere") == (
        "cannot read the directory of keys FILE: No such file or directory"
    )

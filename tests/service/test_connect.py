"""From an address to its source: schemes in any case, and options that fit them."""

from itertools import product
from pathlib import Path
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recbms_zmq.config.load import load
from recbms_zmq.errors import RecBmsError, UsageError
from recbms_zmq.service.connect import open_source
from recbms_zmq.sources import Source
from recbms_zmq.sources.network import tls_context

RECORDING = '{"event":"start","monotonic":1,"wall":1,"version":1}\n'
SOURCES: Final = {
    "ws": ("://127.0.0.1/Ws", "WebSocketSource"),
    "wss": ("://127.0.0.1/Ws", "WebSocketSource"),
    "http": ("://127.0.0.1/Cell", "HttpSource"),
    "https": ("://127.0.0.1/Cell", "HttpSource"),
    "sim": (":?units=2", "SimulatedSource"),
    "replay": (":{path}", "ReplaySource"),
}
HAVE_TLS: Final = ("wss", "https")
HAVE_PROXY: Final = ("ws", "wss")


def spellings(scheme: str) -> list[str]:
    return ["".join(letters) for letters in product(*((c, c.upper()) for c in scheme))]


def opened(url: str, **options: str) -> Source:
    (bms,) = load(options, [url], {}).config.bms
    return open_source(bms)


@pytest.fixture(scope="module")
def recording(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("Recordings") / "Capture.jsonl"
    path.write_text(RECORDING, encoding="ascii")
    return path


SPELLINGS = st.sampled_from(list(SOURCES)).flatmap(
    lambda scheme: st.tuples(st.just(scheme), st.sampled_from(spellings(scheme)))
)
OPTIONS: Final[dict[str, tuple[dict[str, str], tuple[str, ...]]]] = {
    "none": ({}, tuple(SOURCES)),
    "fingerprint": ({"tls_fingerprint": "ab" * 32}, HAVE_TLS),
    "proxy": ({"proxy": "http://127.0.0.1:1"}, HAVE_PROXY),
}


@given(SPELLINGS, st.sampled_from(list(OPTIONS)))
def test_a_scheme_means_the_same_in_any_case_with_any_option(
    recording: Path, scheme: tuple[str, str], option: str
) -> None:
    plain, spelled = scheme
    rest, kind = SOURCES[plain]
    url = spelled + rest.format(path=recording)
    options, fitting = OPTIONS[option]
    if plain in fitting:
        assert type(opened(url, **options)).__name__ == kind
    else:
        with pytest.raises(UsageError, match=r"^--(tls-fingerprint|proxy): (.*; )?only wss?://"):
            opened(url, **options)


@pytest.mark.parametrize("scheme", sorted(SOURCES.keys() - set(HAVE_TLS)))
def test_a_file_of_certificates_is_refused_without_tls(scheme: str, recording: Path) -> None:
    url = scheme.upper() + SOURCES[scheme][0].format(path=recording)
    with pytest.raises(RecBmsError, match=r"^--ca-file: .* has no certificate"):
        opened(url, ca_file="/etc/ssl/certs/ca-certificates.crt")


def test_bms_with_the_same_options_share_one_tls_context() -> None:
    assert tls_context(None, pinned=False) is tls_context(None, pinned=False)
    assert tls_context(None, pinned=False) is not tls_context(None, pinned=True)

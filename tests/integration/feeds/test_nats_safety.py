"""What a bridge and its sessions refuse: servers, streams, credentials, addresses."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.integration.feeds.buses import TOKEN, Bus, ending, made_bus
from tests.listening import Listener

from mismartera import DataManager
from mismartera.errors import ConfigError
from mismartera.feeds import Connected, Disconnected, FeedFailed, Secret, Subscribed
from mismartera.feeds.nats import BusAddress, Login, NatsFeed, Retention
from mismartera.timing import RehearsalClock


@pytest.fixture
def bus(tmp_path: Path, market: DataManager) -> Iterator[Bus]:
    with made_bus(tmp_path, market) as made:
        yield made


def test_a_server_that_is_not_there_ends_a_bridge_with_its_address(bus: Bus) -> None:
    server = bus.serve()
    server.stop()
    assert ending(bus.bridge("AAA")).startswith(f"no NATS server can be reached at {server.url}: ")


def test_a_server_without_jetstream_is_told_how_to_have_it(bus: Bus) -> None:
    server = bus.serve(jetstream=False)
    assert ending(bus.bridge("AAA")) == f"the NATS server at {server.url} has no JetStream: start it with -js"


@pytest.mark.parametrize("login", [Login(), Login(token=Secret("canary-wrong"))], ids=["none", "wrong"])
def test_refused_credentials_are_told_and_not_shown(bus: Bus, login: Login) -> None:
    bus.serve(TOKEN)
    reason = ending(bus.bridge("AAA", login=login))
    _, listener = bus.feed("AAA", login=login)
    failed = listener.wait_for(FeedFailed)
    for text in (reason, failed.reason):
        assert "does not take our credentials" in text
        assert "MISMARTERA_NATS_" in text
        assert "canary" not in text


def test_the_right_token_is_taken(bus: Bus) -> None:
    bus.serve(TOKEN)
    login = Login(token=Secret("canary-token"))
    bus.bridge("AAA", login=login)
    _, listener = bus.feed("AAA", login=login)
    assert listener.wait_for(Subscribed).symbols == ("AAA",)


@pytest.mark.parametrize(
    ("metadata", "what"), [({}, "is no stream of a bridge"), ({"mismartera_bus": "9"}, "has version 9")]
)
def test_a_stream_of_another_kind_or_version_is_left_alone(bus: Bus, metadata: dict[str, str], what: str) -> None:
    bus.serve()
    bus.ask(lambda js: js.add_stream(name="mismartera", subjects=["mine"], metadata=metadata))
    bridge = bus.bridge("AAA")
    _, listener = bus.feed("AAA")
    for reason in (ending(bridge), listener.wait_for(FeedFailed).reason):
        assert reason.startswith(f"the stream mismartera at {bus.address.url} {what}; allowed: version 1")
    assert bus.ask(lambda js: js.stream_info("mismartera")).config.subjects == ["mine"]


def test_the_stream_is_bounded_and_the_bounds_follow_the_configuration(bus: Bus) -> None:
    bus.serve()
    bridge = bus.bridge("AAA", retention=Retention(3600.0, 2**20))
    bus.feed("AAA")[1].wait_for(Connected)
    config = bus.ask(lambda js: js.stream_info("mismartera")).config
    assert (config.max_age, config.max_bytes, config.discard) == (3600.0, 2**20, "old")
    bridge.stop()
    bus.bridge("AAA", retention=Retention(7200.0, 2**21))
    bus.feed("AAA")[1].wait_for(Connected)
    assert bus.ask(lambda js: js.stream_info("mismartera")).config.max_age == 7200.0


def test_a_second_bridge_of_a_stream_is_refused(bus: Bus) -> None:
    bus.serve()
    first = bus.bridge("AAA")
    bus.feed("AAA")[1].wait_for(Connected)
    assert ending(bus.bridge("AAA")).startswith(f"another bridge ({first.name}) publishes the stream mismartera")
    assert not first.wait(0.0)


def certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of localhost that vouches for itself, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(datetime(2020, 1, 1, tzinfo=UTC))
        .not_valid_after(datetime(2100, 1, 1, tzinfo=UTC))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return paths


def test_a_connection_is_encrypted_with_a_certificate_that_must_be_known(
    tmp_path: Path, bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    cert, key = certificate(tmp_path)
    server = bus.serve({"tls": {"cert_file": str(cert), "key_file": str(key)}, **TOKEN})
    url, login = f"tls://localhost:{server.port}", Login(token=Secret("canary-token"))
    monkeypatch.setattr(Bus, "address", BusAddress(url))
    assert "certificate" in ending(bus.bridge("AAA", login=login))
    monkeypatch.setenv("SSL_CERT_FILE", str(cert))
    bus.bridge("AAA", login=login)
    assert bus.feed("AAA", login=login)[1].wait_for(Subscribed).symbols == ("AAA",)


def test_credentials_are_not_sent_to_a_server_that_says_it_has_no_tls() -> None:
    received: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            connection, _ = listening.accept()
            with connection:
                connection.sendall(
                    b'INFO {"server_id":"x","version":"2.12.0","proto":1,"max_payload":1048576,"headers":true}\r\n'
                )
                while data := connection.recv(4096):
                    received.append(data)

        thread = threading.Thread(target=answer)
        thread.start()
        address = BusAddress(f"tls://127.0.0.1:{listening.getsockname()[1]}")
        clock, listener = RehearsalClock(0), Listener()
        feed = NatsFeed(address, Login(token=Secret("canary-token")), clock, Random(1))
        feed.start(listener.queue)
        reason = listener.wait_for(Disconnected).reason
        feed.stop()
        thread.join()
    assert "offers no TLS" in reason
    assert received == []


@pytest.mark.parametrize("stream", ["", "a.b", "a b", "x" * 33, ">"])
def test_a_stream_s_name_is_one_word(stream: str) -> None:
    with pytest.raises(ConfigError, match="stream: found"):
        BusAddress("nats://localhost", stream)


@pytest.mark.parametrize("url", ["nats://example.com:4222", "http://localhost", "tls://u:p@h", "tls://h/path"])
def test_an_address_is_encrypted_or_on_loopback(url: str) -> None:
    with pytest.raises(ConfigError):
        BusAddress(url)

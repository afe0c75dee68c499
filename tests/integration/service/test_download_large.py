"""Downloads of 2 GiB through the whole service: every byte, little memory, one request, and no end that looks good.

Memory is that of the API's process, at its highest while the file goes through.
"""

from __future__ import annotations

import http.client
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import pytest

from tests.support.chain import consumer
from tests.support.downloads import Ordered, order_files
from tests.support.large_source import BLOCK, BLOCKS, SIZE, LargeSource
from tests.support.memory import peak_bytes, reset_peak
from tests.support.service import Service

pytestmark = pytest.mark.integration

MIB = 1 << 20
GROWTH_BYTES = 40 * MIB
# Between a source and a consumer who does not read: our pieces, and the kernel's buffers of two connections.
UNDERWAY_BYTES = 160 * MIB
MANY = 24  # downloads at once
PATHS = ("/whole", "/chunked", "/whole-broken", "/chunked-broken")


@dataclass(frozen=True)
class Place:
    service: Service
    source: LargeSource
    ordered: Ordered

    def url(self, path: str) -> str:
        return self.ordered.url(PATHS.index(path))

    @property
    def pid(self) -> int:
        pid = self.service.machine.child("api").pid
        assert pid is not None
        return pid


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """A service of its own: its memory is not that of other tests."""
    folder = tmp_path_factory.mktemp("large")
    with LargeSource() as source, Service(folder, allow_private=[source.address]) as service:

        async def order() -> Ordered:
            network = await service.network()
            try:
                return await order_files(service, network, consumer, [source.url(path) for path in PATHS])
            finally:
                await network.close()

        made = Place(service, source, service.call(order()))
        with reading(made.url("/whole")) as answer:  # whatever is made once is made now
            read_blocks(answer, 64)
        wait_for(lambda: source.ended == 1)
        yield made


@contextmanager
def reading(url: str) -> Iterator[http.client.HTTPResponse]:
    """An answer whose body is read as the test likes; then the consumer hangs up."""
    address = urlsplit(url)
    connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=240)
    try:
        connection.request("GET", f"{address.path}?{address.query}")
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        with answer:
            yield answer
    finally:
        connection.close()


def read_blocks(answer: http.client.HTTPResponse, count: int) -> None:
    """Whole blocks, each as the source has sent it."""
    buffer = bytearray(len(BLOCK))
    view = memoryview(buffer)
    for number in range(count):
        position = 0
        while position < len(BLOCK):
            got = answer.readinto(view[position:])
            assert got, f"the answer ends in block {number}"
            position += got
        assert buffer == BLOCK, f"block {number} has other bytes"


def wait_for(what: Callable[..., bool], *given: object, seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not what(*given):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_2_gib_go_through_whole_in_little_memory_with_one_request(place: Place) -> None:
    before, asked = reset_peak(place.pid), place.source.requests["/whole"]
    with reading(place.url("/whole")) as answer:
        assert answer.getheader("Content-Length") == str(SIZE)
        read_blocks(answer, BLOCKS)
        assert answer.read() == b""
    assert peak_bytes(place.pid) - before < GROWTH_BYTES
    assert place.source.requests["/whole"] - asked == 1


def test_so_do_chunks(place: Place) -> None:
    before, asked = reset_peak(place.pid), place.source.requests["/chunked"]
    with reading(place.url("/chunked")) as answer:
        assert answer.getheader("Transfer-Encoding") == "chunked"
        read_blocks(answer, BLOCKS)
        assert answer.read() == b""
    assert peak_bytes(place.pid) - before < GROWTH_BYTES
    assert place.source.requests["/chunked"] - asked == 1


@pytest.mark.parametrize("path", ["/whole-broken", "/chunked-broken"])
def test_a_source_that_breaks_ends_in_an_error(place: Place, path: str) -> None:
    """What came before is good; then no length is reached and no last chunk comes."""
    asked = place.source.requests[path]
    with reading(place.url(path)) as answer:
        read_blocks(answer, BLOCKS // 2 - 40)
        with pytest.raises((http.client.IncompleteRead, ConnectionError)):
            answer.read()
    assert place.source.requests[path] - asked == 1


@pytest.mark.parametrize("path", ["/whole", "/chunked"])
def test_a_consumer_who_hangs_up_leaves_no_connection_to_the_source(place: Place, path: str) -> None:
    """However fast the source is: it always has more there than the service has read. (Three times, because it is a
    question of who comes first.)"""
    for _ in range(3):
        wanted = place.source.ended + 1
        with reading(place.url(path)) as answer:
            read_blocks(answer, 50)
        wait_for(lambda number: place.source.ended == number, wanted)


@pytest.mark.parametrize("path", ["/whole", "/chunked"])
def test_a_consumer_who_does_not_read_stops_the_source(place: Place, path: str) -> None:
    before, sent, ended = reset_peak(place.pid), place.source.sent, place.source.ended
    with reading(place.url(path)) as answer:
        read_blocks(answer, 10)
        seen = -1

        def stands_still() -> bool:
            nonlocal seen
            last, seen = seen, place.source.sent
            time.sleep(0.2)
            return last == seen

        wait_for(stands_still)
        assert place.source.sent - sent < UNDERWAY_BYTES
        assert peak_bytes(place.pid) - before < GROWTH_BYTES
        read_blocks(answer, 200)  # and on it goes
    wait_for(lambda: place.source.ended == ended + 1)


def test_many_consumers_who_do_not_read_are_in_nobodys_way(place: Place) -> None:
    before, ended = reset_peak(place.pid), place.source.ended
    with ExitStack() as stack:
        for _ in range(MANY):
            read_blocks(stack.enter_context(reading(place.url("/whole"))), 1)
        with reading(place.url("/chunked")) as answer:
            read_blocks(answer, 5)
        assert peak_bytes(place.pid) - before < GROWTH_BYTES + MANY * 4 * MIB
    wait_for(lambda: place.source.ended == ended + MANY + 1)

"""What the stream is made of, wired together, and the Faust app beneath it."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, cast

from faust.types import TP, RecordMetadata

from worker.enrich.job import Headers
from worker.settings import Settings
from worker.status import Status
from worker.stream import avro, connect
from worker.stream.agent import add_agent
from worker.stream.brake import Brake
from worker.stream.consumer import Consumer, StreamApp
from worker.stream.delivery import Delivery
from worker.stream.fence import Fence
from worker.stream.lane import Partition
from worker.stream.lanes import Flow, Lanes
from worker.stream.pool import Pool
from worker.stream.resume import Tables

if TYPE_CHECKING:  # `Traces` needs the extra `otel`
    from worker.stream.producer import Producer
    from worker.stream.traces import Traces

MAX_POLL_INTERVAL_SECONDS = 604800.0
"""Out of the way: with all buffers full for that long the client would leave the group, alive and silent."""
MOST_FETCHED_BYTES = 2**20
"""Of a partition at a time; a single larger record is fetched all the same (KIP-74)."""
REBALANCE_SPARE_SECONDS = 10.0
"""Joining the group is answered when its slowest member has handed over."""
REQUEST_OVERHEAD_BYTES = 2**20
"""Room for headers, keys and framing beside the largest value."""


class Parts:
    """Everything the stream is made of, wired together."""

    def __init__(self, settings: Settings, status: Status, pool: Pool | avro.AvroPool, traces: "Traces | None" = None) -> None:
        """Make the parts that need no running app."""
        self.settings = settings
        self.status = status
        self.pool = pool
        self.fence = Fence(session_timeout=settings.session_timeout)
        self.brake = Brake(share=settings.brake_share, articles=settings.brake_articles, status=status)
        self.app = make_app(settings)
        self.app.parts = self
        send = self._send if traces is None else traces.sending(self._send)
        self.delivery = Delivery(settings, send=send, status=status, permit=self.fence.opened)
        self.lanes = Lanes(
            pool=pool,
            delivery=self.delivery,
            brake=self.brake,
            full_at=settings.lane_articles,
            flow=Flow(
                pause=lambda partition: self.app.consumer.on_buffer_full(TP(*partition)),
                resume=lambda partition: self.app.consumer.on_buffer_drop(TP(*partition)),
            ),
            traces=traces,
        )
        add_agent(self.app, topic=settings.input_topic)

    async def _send(self, topic: str, key: bytes | None, value: bytes | None, headers: Headers) -> RecordMetadata:
        producer = cast("Producer", self.app.producer)
        return await producer.send_acknowledged(topic, key, value, headers)

    def moving(self) -> None:
        """Tell the status how far each partition is. One whose first article a process has in hand, in good time, moves."""
        consumer = cast("Consumer", self.app.consumer)
        reached = {(tp.topic, tp.partition): consumer.reached(tp) or 0 for tp in consumer.assignment()}
        self.status.moving(reached, busy=self.lanes.computing() if self.pool.in_time() else ())

    async def lag(self) -> Mapping[Partition, int]:
        """Articles of each assigned partition that are not acknowledged yet."""
        consumer = cast("Consumer", self.app.consumer)
        assigned = consumer.assignment()
        ends = await consumer.highwaters(*assigned) if assigned else {}
        lag: dict[Partition, int] = {}
        for tp, last in ends.items():
            reached = consumer.reached(tp)
            if reached is None:  # nothing handed out in this generation
                reached = await consumer.position(tp) or 0
            lag[tp.topic, tp.partition] = max(0, last - reached)
        return lag


def make_app(settings: Settings) -> StreamApp:
    """Faust's app with the settings that lose nothing under load (the comments tell why)."""
    session = settings.session_timeout
    heaviest = settings.max_output_bytes + REQUEST_OVERHEAD_BYTES
    return StreamApp(
        id=settings.group,
        broker=[f"kafka://{broker}" for broker in settings.broker_list],
        broker_credentials=connect.credentials(settings),
        broker_request_timeout=settings.rebalance_timeout + REBALANCE_SPARE_SECONDS,  # for the longest; see `worker.stream.client`
        broker_session_timeout=session,
        broker_heartbeat_interval=max(0.3, min(3.0, session / 5)),
        broker_rebalance_timeout=settings.rebalance_timeout,
        broker_max_poll_interval=MAX_POLL_INTERVAL_SECONDS,
        broker_max_poll_records=100,
        broker_commit_interval=1.0,
        consumer_group_instance_id=settings.group_instance or None,
        consumer_metadata_max_age_ms=10_000,  # new partitions are seen within seconds
        consumer_max_fetch_size=MOST_FETCHED_BYTES,
        consumer_auto_offset_reset="earliest",
        producer_acks=-1,
        producer_request_timeout=30.0,  # the default is 20 minutes; a hung broker is noticed earlier
        producer_metadata_max_age_ms=10_000,
        producer_max_request_size=heaviest,
        producer_compression_type="gzip",  # every consumer can read it
        stream_buffer_maxsize=32,  # less to do again after a crash
        stream_wait_empty=True,  # False loses articles at SIGTERM
        topic_disable_leader=True,
        topic_allow_declare=False,  # topics belong to operations
        table_standby_replicas=0,
        TableManager=Tables,  # resumes after a rebalance however slow the coordinator is
        web_enabled=False,
        autodiscover=False,
        store="memory://",
    )

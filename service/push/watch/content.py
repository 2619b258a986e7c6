"""Subscriptions, as the store keeps them."""

from pydantic import ConfigDict, TypeAdapter
from pydantic.dataclasses import dataclass as checked

from service.push.model import Subscription


@checked(frozen=True, config=ConfigDict(ser_json_bytes="base64", val_json_bytes="base64"))
class _Row:
    subscription: Subscription


_ROW = TypeAdapter(_Row)


def write_subscription(subscription: Subscription) -> bytes:
    return _ROW.dump_json(_Row(subscription), exclude_defaults=True)


def read_subscription(octets: bytes) -> Subscription:
    return _ROW.validate_json(octets).subscription

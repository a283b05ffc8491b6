"""Pub/Sub: the stand-in of pubsub/main.go, credentials for it, and Google's own client of it."""
import functools
import json
import os
import time
import unittest.mock
import urllib.parse
import urllib.request

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.cloud import pubsub_v1

import installs
from servers import Server

PROJECT = "shop"
EMAIL = "seal@shop.iam.gserviceaccount.com"


def service_account(path, key):
    text = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    path.write_text(json.dumps({"type": "service_account", "project_id": PROJECT, "private_key_id": "one", "private_key": text,
                                "client_email": EMAIL, "token_uri": "https://oauth2.googleapis.com/token"}, indent=2))
    return path


class PubSub(Server):
    ports = 2
    project = PROJECT

    def prepare(self):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.public = self.folder / "public.pem"
        self.public.write_bytes(key.public_key().public_bytes(serialization.Encoding.PEM,
                                                              serialization.PublicFormat.SubjectPublicKeyInfo))
        self.key_file = service_account(self.folder / "key.json", key)

    def command(self):
        return ([installs.pubsub(self.cache), "-rest", f"127.0.0.1:{self.port}", "-grpc", self.grpc, "-key", self.public, "-check"],
                {"HOME": str(self.folder)})

    @property
    def grpc(self):
        return f"127.0.0.1:{self.all_ports[1]}"

    def environment(self, credentials=None):
        """For sealstream: somebody with those credentials, else the service account."""
        return {"GOOGLE_APPLICATION_CREDENTIALS": str(credentials or self.key_file),
                "CLOUDSDK_API_ENDPOINT_OVERRIDES_PUBSUB": self.endpoint}

    def user(self, path, refresh_token="1//refresh"):
        path.write_text(json.dumps({"type": "authorized_user", "client_id": "id", "client_secret": "secret", "quota_project_id": PROJECT,
                                    "refresh_token": refresh_token, "token_uri": f"{self.endpoint}/token"}))
        return path

    def control(self, what="state", **parameters):
        url = f"{self.endpoint}/control/{what}?{urllib.parse.urlencode(parameters)}"
        with urllib.request.urlopen(url, timeout=60) as answer:
            return json.load(answer)

    def fail(self, verb, status, times, **parameters):
        """The next calls of `verb` fail; with after=1 only once they are done."""
        self.control("fail", verb=verb, status=status, times=times, **parameters)

    # ---- Google's own client, over gRPC ----

    def _client(self, kind, **options):
        with unittest.mock.patch.dict(os.environ, {"PUBSUB_EMULATOR_HOST": self.grpc}):
            return kind(**options)

    @functools.cached_property
    def publisher(self):
        return self._client(pubsub_v1.PublisherClient,
                            publisher_options=pubsub_v1.types.PublisherOptions(enable_message_ordering=True))

    @functools.cached_property
    def subscriber(self):
        return self._client(pubsub_v1.SubscriberClient)

    def topic(self, name, **subscription):
        """Makes a topic and its subscription, NAME-sub."""
        self.publisher.create_topic(name=f"projects/{self.project}/topics/{name}")
        self.subscriber.create_subscription(request={"name": f"projects/{self.project}/subscriptions/{name}-sub",
                                                     "topic": f"projects/{self.project}/topics/{name}",
                                                     "ack_deadline_seconds": 10} | subscription)
        return f"pubsub:{self.project}/{name}"

    def publish(self, name, messages):
        """Of (key or "", value, attributes)."""
        sent = [self.publisher.publish(f"projects/{self.project}/topics/{name}", value, ordering_key=key, **attributes)
                for key, value, attributes in messages]
        for each in sent:
            each.result(180)

    def read(self, name, n, within=180):
        """At least n messages, acknowledged, in the order in which they come; then what else there is at once."""
        path, got, deadline = f"projects/{self.project}/subscriptions/{name}-sub", [], time.monotonic() + within
        while time.monotonic() < deadline:
            pulled = self.subscriber.pull(request={"subscription": path, "max_messages": 1000, "return_immediately": True},
                                          timeout=within).received_messages
            if pulled:
                self.subscriber.acknowledge(subscription=path, ack_ids=[each.ack_id for each in pulled])
                got += [each.message for each in pulled]
                deadline = time.monotonic() + within
            elif len(got) >= n:
                return got
            else:
                time.sleep(0.01)
        raise AssertionError(f"{len(got)} messages of {name}, not {n}")

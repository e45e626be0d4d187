"""The bucket of one pair between passes: an open client, credentials that are looked up again in time, what it keeps.

Nothing is connected before the first pass that needs it.
"""

import os
import time

from runner.config.settings import Mode
from runner.engine.interface import Surroundings
from runner.engine.native.memory import Memory
from runner.model.passes import Requests
from runner.store.capabilities import NOTHING, Capabilities
from runner.store.client import Client
from runner.store.credentials import CredentialClient, CredentialRequest, Credentials
from runner.store.probe import probe

_FRESH_SECONDS = 60.0  # whoever changes a key sees it used within a minute
_EXPIRES_SOON_SECONDS = 300.0


class Server:
    """For the pass's thread; the client it gives may be used by all."""

    def __init__(self, surroundings: Surroundings) -> None:
        self._surroundings = surroundings
        self._pair = surroundings.pair
        self._lookup = CredentialClient(surroundings.connect)
        self._credentials: Credentials | None = None
        self._looked_up_at = 0.0
        self._refused_key = ""
        self._client: Client | None = None

    @property
    def requests(self) -> Requests:
        return self._client.requests if self._client is not None else Requests()

    @property
    def name(self) -> str:
        """For sentences."""
        return self.endpoint_url() or "the server"

    def client(self) -> Client:
        """S3 with credentials of at most a minute ago. Raises CredentialsError, ServiceUnavailableError."""
        self._refresh()
        if self._client is None:
            self._client = Client(
                self._pair.bucket, self._now, pair=self._pair, should_stop=self._surroundings.should_stop
            )
        return self._client

    def endpoint_url(self) -> str | None:
        """The configured endpoint, wherever it was found; None for Amazon's own. Raises as client."""
        self._refresh()
        return self._now().endpoint_url

    def capabilities(self, memory: Memory, *, read_only: bool) -> Capabilities:
        """As remembered, or probed now and remembered; a look alone never writes a probe. Raises StoreError."""
        found = memory.capabilities(self._surroundings.wall_clock())
        # Who waits for a server to become safe asks it anew; who works with it as it is has asked once.
        as_it_is = self._pair.accept_unsafe_server or self._pair.mode is not Mode.TWO_WAY
        if found is not None and (found.is_safe or as_it_is):
            return found
        if read_only or self._pair.mode is Mode.PULL:
            return NOTHING
        found = probe(self.client(), self._pair.prefix, self._surroundings.wall_clock())
        if found.is_safe or as_it_is:
            memory.set_capabilities(found)
        if found.note:
            self._surroundings.log("WARNING", f"{self.name}: {found.note}")
        return found

    def forget_credentials(self) -> None:
        """They were refused: the next pass looks them up again."""
        if self._credentials is not None:
            self._refused_key = self._credentials.access_key
        self._credentials = None

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
        self._lookup.close()

    def _refresh(self) -> None:
        found, now = self._credentials, time.monotonic()
        if found is not None and now - self._looked_up_at < _FRESH_SECONDS and not self._expires_soon(found):
            return
        request = CredentialRequest.of(self._pair, os.environ)
        self._credentials = self._lookup.lookup(request, refused=self._refused_key)
        self._looked_up_at = now

    def _expires_soon(self, found: Credentials) -> bool:
        if found.expires_at is None:
            return False
        return found.expires_at - self._surroundings.wall_clock() < _EXPIRES_SOON_SECONDS

    def _now(self) -> Credentials:
        assert self._credentials is not None
        return self._credentials

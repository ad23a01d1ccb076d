"""Limits a browser session that a native app handed over (Native to Web SSO): 30 minutes in all, 15 without activity."""

import json

import wit_world
from wit_world.imports import clock, session

MINUTE_MS = 60 * 1000


class WitWorld(wit_world.WitWorld):
    def on_execute_post_login(self, event: str) -> None:
        if json.loads(event).get("session_transfer_token") is None:
            return
        now = clock.now()
        session.set_expires_at(now + 30 * MINUTE_MS)
        session.set_idle_expires_at(now + 15 * MINUTE_MS)

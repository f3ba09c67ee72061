"""Logins that are no Django views: consumers of Channels, and any ASGI application."""

# fmt: off
# recipe
import hmac
from dataclasses import replace

from channels.generic.websocket import (
    AsyncJsonWebsocketConsumer,
    JsonWebsocketConsumer,
)
from django.contrib.auth import aauthenticate, authenticate

from lockout_decorators import (
    LockedOut,
    LockoutPolicy,
    lockout_protect,
    presets,
)

sign_in = [replace(policy, scope="sign in") for policy in presets.LOGIN]


def scope_of(consumer, *credentials):
    return consumer.scope


class SignIn(AsyncJsonWebsocketConsumer):
    async def receive_json(self, content):
        try:
            user = await self.verify(content["username"], content["password"])
        except LockedOut as locked_out:
            await self.send_json(
                {
                    "error": str(locked_out),
                    "retry_after": locked_out.status.retry_after,
                }
            )
        else:
            await self.send_json({"user": user and user.get_username()})

    @lockout_protect(*sign_in, request=scope_of)
    async def verify(self, username, password):
        return await aauthenticate(username=username, password=password)


class SyncSignIn(JsonWebsocketConsumer):
    def receive_json(self, content):
        try:
            user = self.verify(content["username"], content["password"])
        except LockedOut as locked_out:
            self.send_json(
                {
                    "error": str(locked_out),
                    "retry_after": locked_out.status.retry_after,
                }
            )
        else:
            self.send_json({"user": user and user.get_username()})

    @lockout_protect(*sign_in, request=scope_of)
    def verify(self, username, password):
        return authenticate(username=username, password=password)


# end

looked_up: list[bytes] = []


def is_code(sent):
    looked_up.append(sent)
    return hmac.compare_digest(sent, b"271828")


async def answer(send, status, *headers):
    await send(
        {"type": "http.response.start", "status": status, "headers": headers}
    )
    await send({"type": "http.response.body"})


# bare
codes = LockoutPolicy(scope="codes", key="ip", max=5, window=300, lockout=600)


async def application(scope, receive, send):
    code = (await receive())["body"]
    try:
        async with codes.attempt(scope) as guess:
            if is_code(code):
                guess.succeed()
                await answer(send, 204)
            else:
                await answer(send, 403)
    except LockedOut as locked_out:
        await answer(
            send,
            locked_out.status_code,
            (b"retry-after", str(locked_out.status.retry_after).encode()),
        )


# end

"""DescribeStacks of a stack at work is answered when it has finished, or after a while.

The CDK CLI asks, and asks again 5 s later: a deployment of two stacks that take 1 s each would last 10 s.
"""

import asyncio
import re
import time
from collections.abc import Sequence

from local.aws.gate import Application, Message, Receive, Scope, Send

LONGEST_SECONDS = 4.0  # less than any client waits for an answer
POLL_SECONDS = 0.05
ABOUT_ONE_STACK = re.compile(rb"(?=.*\bAction=DescribeStacks\b)(?=.*\bStackName=[^&])", re.DOTALL)
AT_WORK = re.compile(rb"<StackStatus>(?!REVIEW)\w+_IN_PROGRESS</StackStatus>")


def patient(application: Application) -> Application:
    """The application, which takes its time over a stack that is being created, updated or deleted."""

    async def serve_request(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "POST" or scope["path"] != "/":
            await application(scope, receive, send)
            return
        asked = await _all_of(receive)
        if not ABOUT_ONE_STACK.match(_body(asked)):
            await application(scope, _again(asked, receive), send)
            return
        began = time.monotonic()
        while True:
            answer: list[Message] = []
            await application({**scope, "headers": list(scope["headers"])}, _again(asked, receive), _into(answer))
            if time.monotonic() - began > LONGEST_SECONDS or not AT_WORK.search(_body(answer)):
                break
            await asyncio.sleep(POLL_SECONDS)
        for message in answer:
            await send(message)

    return serve_request


async def _all_of(receive: Receive) -> list[Message]:
    messages = [await receive()]
    while messages[-1].get("more_body"):
        messages.append(await receive())
    return messages


def _body(messages: Sequence[Message]) -> bytes:
    return b"".join(message.get("body", b"") for message in messages)


def _again(messages: Sequence[Message], receive: Receive) -> Receive:
    """A request that was received already, and what comes after it."""
    waiting = iter(messages)

    async def received() -> Message:
        return next(waiting, None) or await receive()

    return received


def _into(messages: list[Message]) -> Send:
    async def keep(message: Message) -> None:
        messages.append(message)

    return keep

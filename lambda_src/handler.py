"""Where Lambda comes in: every request is answered, and a failure leaves as a status, never as an exception."""

import gc

gc.disable()  # hardly anything of what imports make is garbage, and looking for it takes 7 % of a cold start

import logging
import os
import time
import traceback

from lambda_src import stores
from lambda_src.api.backend import Store, StoreUnavailable
from lambda_src.api.problem import InvalidRequest, Refusal, Response, problem
from lambda_src.api.request import Event
from lambda_src.deadline import Context
from lambda_src.routes import ROUTES

logging.getLogger("lambda_src").setLevel(logging.INFO)
logger = logging.getLogger(__name__)

RETRY_AFTER = "1"  # seconds

backend = stores.connect()
if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") != "snap-start":  # one snapshot would share its connection
    backend.warm_up()
gc.freeze()
gc.enable()


def handler(event: Event, context: Context) -> Response:
    """Answer one API Gateway request (payload format 2.0)."""
    started = time.monotonic()
    with backend.store(context) as store:
        response = respond(event, store)
    fields = {
        "route": event.get("routeKey"),
        "status": response["statusCode"],
        "milliseconds": round((time.monotonic() - started) * 1000, 1),
    }
    logger.info("request", extra=fields | backend.figures())
    return response


def respond(event: Event, store: Store) -> Response:
    """The answer of the route that API Gateway chose, or the problem document for what went wrong."""
    try:
        return ROUTES.get(event["routeKey"], ROUTES["$default"])(event, store)
    except InvalidRequest as error:
        return problem(400, "invalid-request", "The request is not valid", str(error), mistakes=error.mistakes)
    except Refusal as refusal:
        return problem(refusal.status, refusal.name, refusal.title, str(refusal))
    except StoreUnavailable as error:
        logger.warning("database unavailable", extra={"reason": str(error)})
        return problem(
            503,
            "database-unavailable",
            "The database can't serve this now",
            f"try again in {RETRY_AFTER} s",
            headers={"retry-after": RETRY_AFTER},
        )
    except Exception as error:  # noqa: BLE001 (the edge: the caller gets an answer whatever happened)
        # Where it happened, but not the message: a database's messages quote values of the row.
        where = [f"{frame.filename}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
        logger.error("unexpected", extra={"exception": type(error).__name__, "where": where[-5:]})  # noqa: TRY400
        return problem(500, "internal-error", "Something went wrong here", "it is in the log under this request's id")

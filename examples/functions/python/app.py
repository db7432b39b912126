"""A function for Python: who may call, by a token, as a custom authorizer; and a
handler in payload format 1.0."""

import json


def authorize(event, context):
    token = event["headers"].get("x-token", "")
    if token == "broken":
        raise Exception("Unauthorized")
    return {"isAuthorized": token == "open sesame", "context": {"tier": "gold"}}


def handler(event, context):
    return {
        "statusCode": 200,
        "multiValueHeaders": {"X-Letter": ["a", "b"]},
        "body": json.dumps({
            "path": event["path"],
            "caller": event["requestContext"].get("authorizer"),
            "queries": event["multiValueQueryStringParameters"],
        }),
    }

"""What runs handlers for Python: a client of the Runtime API that loads
FILE.FUNCTION from the code and calls it as AWS Lambda does."""

import http.client
import importlib
import json
import os
import sys
import time
import traceback

BASE = "/2018-06-01/runtime/"


class Context:
    """What a handler is told of its invoke."""

    def __init__(self, headers):
        env = os.environ
        self.function_name = env["AWS_LAMBDA_FUNCTION_NAME"]
        self.function_version = env["AWS_LAMBDA_FUNCTION_VERSION"]
        self.memory_limit_in_mb = env["AWS_LAMBDA_FUNCTION_MEMORY_SIZE"]
        self.log_group_name = env["AWS_LAMBDA_LOG_GROUP_NAME"]
        self.log_stream_name = env["AWS_LAMBDA_LOG_STREAM_NAME"]
        self.aws_request_id = headers["Lambda-Runtime-Aws-Request-Id"]
        self.invoked_function_arn = headers["Lambda-Runtime-Invoked-Function-Arn"]
        self.identity = None
        client = headers.get("Lambda-Runtime-Client-Context")
        self.client_context = json.loads(client) if client else None
        self._deadline = int(headers["Lambda-Runtime-Deadline-Ms"])

    def get_remaining_time_in_millis(self):
        return max(self._deadline - int(time.time() * 1000), 0)

    def log(self, message):
        sys.stdout.write(str(message))


class Runtime:
    """The one connection to the Runtime API."""

    def __init__(self):
        self.connection = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])

    def call(self, method, path, body=None, headers=None):
        self.connection.request(method, BASE + path, body, headers or {})
        response = self.connection.getresponse()
        return response.status, response.headers, response.read()

    def report(self, path, error, trace=()):
        told = {"errorMessage": str(error), "errorType": type(error).__name__, "stackTrace": list(trace)}
        body = json.dumps(told)
        print(body, file=sys.stderr, flush=True)
        kind = told["errorType"].encode("ascii", "replace").decode()
        self.call("POST", path, body, {"Content-Type": "application/json", "Lambda-Runtime-Function-Error-Type": kind})


class HandlerNotFound(Exception):
    """The code has no such handler."""


def load():
    root = os.environ["LAMBDA_TASK_ROOT"]
    sys.path[:0] = [root, "/opt/python"]
    name, function = os.environ["_HANDLER"].rsplit(".", 1)
    module = importlib.import_module(name.replace("/", "."))
    try:
        return getattr(module, function)
    except AttributeError:
        raise HandlerNotFound(f"{os.environ['_HANDLER']} is no function") from None


def once(runtime, handler):
    status, headers, body = runtime.call("GET", "invocation/next")
    if status != 200:
        raise RuntimeError(f"next answered {status}")
    identifier = headers["Lambda-Runtime-Aws-Request-Id"]
    os.environ["_X_AMZN_TRACE_ID"] = headers.get("Lambda-Runtime-Trace-Id", "")
    try:
        answer = json.dumps(handler(json.loads(body), Context(headers)), ensure_ascii=False).encode()
    except Exception as error:  # whatever a handler raises is told
        trace = traceback.format_exception(type(error), error, error.__traceback__)
        runtime.report(f"invocation/{identifier}/error", error, trace)
        return
    finally:
        sys.stdout.flush()
    runtime.call("POST", f"invocation/{identifier}/response", answer, {"Content-Type": "application/json"})


def main():
    sys.stdout.reconfigure(line_buffering=True)
    runtime = Runtime()
    try:
        handler = load()
    except BaseException as error:
        runtime.report("init/error", error, traceback.format_exception(type(error), error, error.__traceback__))
        sys.exit(1)
    while True:
        once(runtime, handler)


main()

"""A boto3 client whose signed requests go to standard output, and whose responses come from standard input."""

import base64
import json
import os
import sys
from urllib.parse import urlsplit

import boto3
from botocore.awsrequest import AWSResponse, HeadersDict


class Raw:
    def __init__(self, body):
        self.body = body

    def stream(self, *_, **__):
        yield self.body


def carry(request, **_):
    """In the place of the HTTP connection: called with what was signed, for each attempt."""
    url = urlsplit(request.url)
    body = request.body or b""
    body = body.encode() if isinstance(body, str) else bytes(body)
    text = lambda value: value.decode() if isinstance(value, bytes) else value
    headers = {text(name): text(value) for name, value in request.headers.items()}
    headers.setdefault("Host", url.netloc)  # http.client would write it.
    asked = {
        "method": request.method,
        "path": url.path,
        "query": url.query,
        "headers": headers,
        "body": base64.b64encode(body).decode(),
    }
    print(json.dumps(asked), flush=True)
    answer = json.loads(sys.stdin.readline())
    raw = Raw(base64.b64decode(answer["body"]))
    return AWSResponse(request.url, answer["status"], HeadersDict(answer["headers"]), raw)


def client(key=None, secret=None, endpoint="http://127.0.0.1:8080/api", region="eu-central-1", **more):
    made = boto3.client(
        "chime-sdk-voice",
        endpoint_url=endpoint,
        region_name=region,
        aws_access_key_id=key or os.environ["KEY"],
        aws_secret_access_key=secret or os.environ["SECRET"],
        **more,
    )
    made.meta.events.register("before-send.chime-sdk-voice", carry)
    return made


def raises(exception, call, **arguments):
    """The exception that a call must end in."""
    try:
        call(**arguments)
    except exception as raised:
        return raised
    raise AssertionError(f"{call} raised no {exception}")

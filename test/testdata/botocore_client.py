"""Signs requests by botocore, as boto3 does, and prints what is answered: a line
of JSON for each."""
import json
import ssl
import sys
import urllib.request

from botocore.auth import SigV4Auth, SigV4QueryAuth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

base, roots, key, secret = sys.argv[1:5]
context = ssl.create_default_context(cafile=roots)
credentials = Credentials(key, secret)

PATHS = ["/", "/orders/42", "/orders/", "/a%20b/c", "/caf%C3%A9", "/a+b", "/a%2Bb", "/$x,1:3@4!'()*", "/~a-b_c.d",
         "/p?b=2&a=1", "/p?a=2&a=1", "/p?a=", "/p?a=%20&c=%2B", "/p?x=%C3%A9", "/p?A=1&a=2"]


def ask(auth, method, path, body):
    request = AWSRequest(method=method, url=base + path, data=body, headers={"x-custom": "  two   spaces "})
    auth(credentials, "execute-api", "eu-central-1").add_auth(request)
    # The query form takes the body's fields into the query, and the body away.
    sent = urllib.request.Request(request.url, data=request.data or None, method=method, headers=dict(request.headers.items()))
    sent.host = request.headers.get("Host", sent.host)
    try:
        with urllib.request.urlopen(sent, context=context, timeout=20) as answer:
            return answer.status, ""
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


for path in PATHS:
    for auth in (SigV4Auth, SigV4QueryAuth):
        for method, body in (("GET", None), ("POST", b'{"a": 1}')):
            status, message = ask(auth, method, path, body)
            print(json.dumps({"what": f"{auth.__name__} {method} {path}", "status": status, "message": message}))

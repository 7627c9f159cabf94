"""A person's hand in end-to-end tests: AWS calls by boto3, which Quell does not use.

Usage: aws.py ENDPOINT. Each line in is {"service", "call", "arguments", "keys"?}: boto3's names,
and the access key id, the secret and the session token where it is not the administrator's. An
argument {"file": PATH} stands for the file's bytes. Each line out is {"answer"} or {"code",
"message"}; bytes in an answer are in Base64.
"""

import base64
import json
import re
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

ADMIN = ["test", "test", None]
clients = {}


def without_subdomain(request, **_):
    """S3 Control puts the account before the host's name; an emulator's is an address."""
    request.url = re.sub(r"//[0-9]{12}\.", "//", request.url)


def client(service, keys):
    name = (service, *keys)
    if name not in clients:
        config = Config(s3={"addressing_style": "path"}, retries={"total_max_attempts": 1})
        made = clients[name] = boto3.client(
            service,
            endpoint_url=sys.argv[1],
            region_name="us-east-1",
            aws_access_key_id=keys[0],
            aws_secret_access_key=keys[1],
            aws_session_token=keys[2],
            config=config,
        )
        made.meta.events.register("before-sign", without_subdomain)
    return clients[name]


def with_files(arguments):
    """The arguments, with each {"file": PATH} replaced by the file's bytes."""
    if not isinstance(arguments, dict):
        return arguments
    if list(arguments) == ["file"]:
        with open(arguments["file"], "rb") as file:
            return file.read()
    return {name: with_files(it) for name, it in arguments.items()}


def shown(value):
    """What JSON has no form for."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


for line in sys.stdin:
    wanted = json.loads(line)
    try:
        call = getattr(client(wanted["service"], wanted.get("keys") or ADMIN), wanted["call"])
        answer = call(**with_files(wanted["arguments"]))
        answer.pop("ResponseMetadata", None)
        told = {"answer": answer}
    except ClientError as error:
        told = {"code": error.response["Error"]["Code"], "message": str(error)}
    print(json.dumps(told, default=shown), flush=True)

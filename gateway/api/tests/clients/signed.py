"""Signed as boto3 signs, in header and query; refused by key, secret, token and clock."""

import datetime

import botocore.auth
import botocore.compat
from botocore.exceptions import ClientError

from pipe import client, raises

chime = client()
answer = chime.list_available_voice_connector_regions()
assert "eu-central-1" in answer["VoiceConnectorRegions"], answer
assert answer["ResponseMetadata"]["RequestId"], answer
assert answer["ResponseMetadata"]["HTTPStatusCode"] == 200

unauthorized = chime.exceptions.UnauthorizedClientException
wrong_key = client(key="AKIAAAAAAAAAAAAAAAAA")
raised = raises(wrong_key.exceptions.UnauthorizedClientException, wrong_key.list_available_voice_connector_regions)
assert raised.response["Error"]["Message"].startswith("The key is unknown"), raised
wrong_secret = client(secret="x")
raises(wrong_secret.exceptions.UnauthorizedClientException, wrong_secret.list_available_voice_connector_regions)
token = client(aws_session_token="x")
raises(token.exceptions.UnauthorizedClientException, token.list_available_voice_connector_regions)

# What has to be escaped, in path and query.
raised = raises(ClientError, chime.get_phone_number, PhoneNumberId="+1206/555 0100~ü")
assert raised.response["Error"]["Code"] != "UnauthorizedClientException", raised
raised = raises(ClientError, chime.list_phone_numbers, FilterValue="a b+c/ü&=", NextToken="==/+", Status="Assigned")
assert raised.response["Error"]["Code"] != "UnauthorizedClientException", raised
raised = raises(ClientError, chime.put_voice_connector_termination_credentials, VoiceConnectorId="x", Credentials=[{"Username": "ü"}])
assert raised.response["Error"]["Code"] != "UnauthorizedClientException", raised

# By query.
import pipe
from botocore.awsrequest import AWSRequest

signer = botocore.auth.SigV4QueryAuth(chime._request_signer._credentials, "chime", "eu-central-1", expires=3600)
request = AWSRequest("GET", "http://127.0.0.1:8080/api/voice-connector-regions")
signer.add_auth(request)
answer = pipe.carry(request.prepare())
assert answer.status_code == 200, answer.content

# Wrong clocks.
for minutes, words in ((-6, "expired"), (6, "not yet current")):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
    patched = {name: getattr(botocore.auth, name) for name in ("get_current_datetime",) if hasattr(botocore.auth, name)}
    assert patched, "botocore reads its clock elsewhere"
    botocore.auth.get_current_datetime = lambda remove_tzinfo=True: at.replace(tzinfo=None) if remove_tzinfo else at
    raised = raises(unauthorized, chime.list_available_voice_connector_regions)
    assert words in raised.response["Error"]["Message"], raised
    for name, function in patched.items():
        setattr(botocore.auth, name, function)

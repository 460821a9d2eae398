"""A key that asks too often, and two changes that are alike within one second."""

import time

from botocore.config import Config

from pipe import client, raises
from botocore.exceptions import ClientError

# Retried by the client itself, until there is room.
patient = client(config=Config(retries={"mode": "standard", "total_max_attempts": 10}))
began = time.monotonic()
for _ in range(15):
    patient.list_voice_connectors()
took = time.monotonic() - began
assert took > 1.5, took
hasty = client(config=Config(retries={"total_max_attempts": 1}))
codes = set()
for _ in range(200):
    if codes:
        break
    try:
        hasty.list_voice_connectors()
    except ClientError as error:
        assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 429, error
        codes.add(error.response["Error"]["Code"])
assert codes == {"ThrottlingException"}, codes

# Twins: the second one is refused at first, waits as it is told, and is signed anew. On a busy machine the second may come a second
# later, when it is none.
for _ in range(10):
    time.sleep(1.1)
    time.sleep(1 - time.time() % 1)
    twins = [patient.create_voice_connector(Name="twin", RequireEncryption=False) for _ in range(2)]
    assert len({twin["VoiceConnector"]["VoiceConnectorId"] for twin in twins}) == 2
    attempts = [twin["ResponseMetadata"]["RetryAttempts"] for twin in twins]
    assert attempts[1] <= 3, attempts
    if attempts[1] > 0:
        break
assert attempts[0] == 0 and attempts[1] > 0, attempts

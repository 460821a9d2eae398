"""An unmodified boto3 against the daemon: api.py PART ENDPOINT AUTHORITIES."""

import sys

import boto3

part, endpoint, authorities = sys.argv[1:]
chime = boto3.client("chime-sdk-voice", endpoint_url=endpoint, region_name="eu-central-1", verify=authorities)
errors = chime.exceptions


def names():
    return sorted(one["Name"] for one in chime.list_voice_connectors()["VoiceConnectors"])


def raises(exception, call, **arguments):
    try:
        call(**arguments)
    except exception as raised:
        return raised
    raise AssertionError(f"{call} raised no {exception}")


if part == "life":
    before = names()
    made = chime.create_voice_connector(Name="by boto3", RequireEncryption=False)["VoiceConnector"]
    assert names() == sorted(before + ["by boto3"]), names()
    chime.put_voice_connector_termination(
        VoiceConnectorId=made["VoiceConnectorId"],
        Termination={"CallingRegions": ["US"], "CidrAllowedList": ["198.51.100.0/28"]},
    )
    chime.put_voice_connector_termination_credentials(
        VoiceConnectorId=made["VoiceConnectorId"], Credentials=[{"Username": "alice", "Password": "correct horse"}]
    )
    chime.delete_voice_connector(VoiceConnectorId=made["VoiceConnectorId"])
    assert names() == before, names()
    raised = raises(errors.ConflictException, chime.delete_voice_connector, VoiceConnectorId="office")
    assert "gateway.toml" in str(raised), raised
elif part == "denied":
    names()
    raised = raises(errors.AccessDeniedException, chime.create_voice_connector, Name="x", RequireEncryption=False)
    assert "user/alice is not authorized to perform: chime:CreateVoiceConnector" in str(raised), raised
elif part == "wrong":
    raises(errors.UnauthorizedClientException, chime.list_voice_connectors)
elif part == "leave":
    chime.create_voice_connector(Name="left behind", RequireEncryption=True)
elif part == "left":
    assert "left behind" in names(), names()
else:
    raise AssertionError(part)

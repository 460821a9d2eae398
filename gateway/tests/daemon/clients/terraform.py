"""The order in which Terraform's provider calls for aws_chime_voice_connector and what belongs to it: terraform.py ENDPOINT.

Source: the provider's resources chimesdkvoice/voice_connector*.go: create with tags, wait until a read finds it, read with tags;
update, tag, untag, read; delete each, and a read that finds nothing is taken for the end.
"""

import sys

import boto3

from calls import BACKUP, CUSTOMER, raises

REGION = "us-west-2"  # Of the resource; the provider's clients are of it.
chime = boto3.client("chime-sdk-voice", endpoint_url=sys.argv[1], region_name=REGION)
errors = chime.exceptions


def read(vc, arn, name, encryption, tags):
    """What a refresh asks, and what the plan after it expects."""
    found = chime.get_voice_connector(VoiceConnectorId=vc)["VoiceConnector"]
    assert (found["Name"], found["RequireEncryption"], found["AwsRegion"]) == (name, encryption, REGION), found
    assert found["VoiceConnectorArn"] == arn and f":{REGION}:" in arn, found
    listed = chime.list_tags_for_resource(ResourceARN=arn)["Tags"]
    assert {tag["Key"]: tag["Value"] for tag in listed} == tags, listed


# aws_chime_voice_connector
made = chime.create_voice_connector(
    Name="trunk", AwsRegion=REGION, RequireEncryption=True, Tags=[{"Key": "team", "Value": "voice"}, {"Key": "env", "Value": "dev"}]
)["VoiceConnector"]
vc, arn = made["VoiceConnectorId"], made["VoiceConnectorArn"]
read(vc, arn, "trunk", True, {"team": "voice", "env": "dev"})
chime.update_voice_connector(VoiceConnectorId=vc, Name="trunk 2", RequireEncryption=False)
chime.untag_resource(ResourceARN=arn, TagKeys=["env"])
chime.tag_resource(ResourceARN=arn, Tags=[{"Key": "team", "Value": "telephony"}, {"Key": "cost", "Value": ""}])
read(vc, arn, "trunk 2", False, {"team": "telephony", "cost": ""})
# Nothing to do is done without a fault, too.
chime.update_voice_connector(VoiceConnectorId=vc, Name="trunk 2", RequireEncryption=False)
read(vc, arn, "trunk 2", False, {"team": "telephony", "cost": ""})

# aws_chime_voice_connector_termination, _origination, _logging, _streaming: put, read, put, read.
for cps in (1, 5):
    wanted = {"CallingRegions": ["US", "CA"], "CidrAllowedList": [f"{CUSTOMER}/32"], "CpsLimit": cps, "Disabled": False}
    chime.put_voice_connector_termination(VoiceConnectorId=vc, Termination=wanted)
    assert chime.get_voice_connector_termination(VoiceConnectorId=vc)["Termination"] == wanted
for host in (CUSTOMER, BACKUP):
    wanted = {"Routes": [{"Host": host, "Port": 5060, "Protocol": "UDP", "Priority": 1, "Weight": 1}], "Disabled": False}
    chime.put_voice_connector_origination(VoiceConnectorId=vc, Origination=wanted)
    assert chime.get_voice_connector_origination(VoiceConnectorId=vc)["Origination"] == wanted
for flag in (True, False):
    wanted = {"EnableSIPLogs": flag, "EnableMediaMetricLogs": flag}
    chime.put_voice_connector_logging_configuration(VoiceConnectorId=vc, LoggingConfiguration=wanted)
    assert chime.get_voice_connector_logging_configuration(VoiceConnectorId=vc)["LoggingConfiguration"] == wanted
wanted = {"DataRetentionInHours": 0, "Disabled": True, "StreamingNotificationTargets": [{"NotificationTarget": "SQS"}]}
chime.put_voice_connector_streaming_configuration(VoiceConnectorId=vc, StreamingConfiguration=wanted)
found = chime.get_voice_connector_streaming_configuration(VoiceConnectorId=vc)["StreamingConfiguration"]
assert found == wanted, found

# aws_chime_voice_connector_termination_credentials: its read knows user names alone.
chime.put_voice_connector_termination_credentials(VoiceConnectorId=vc, Credentials=[{"Username": "one", "Password": "first"}])
assert chime.list_voice_connector_termination_credentials(VoiceConnectorId=vc)["Usernames"] == ["one"]

# aws_chime_voice_connector_group
group = chime.create_voice_connector_group(Name="group", VoiceConnectorItems=[{"VoiceConnectorId": vc, "Priority": 1}])
group = group["VoiceConnectorGroup"]["VoiceConnectorGroupId"]
found = chime.get_voice_connector_group(VoiceConnectorGroupId=group)["VoiceConnectorGroup"]
assert found["VoiceConnectorItems"] == [{"VoiceConnectorId": vc, "Priority": 1}], found
chime.update_voice_connector_group(
    VoiceConnectorGroupId=group, Name="group 2", VoiceConnectorItems=[{"VoiceConnectorId": vc, "Priority": 3}]
)
found = chime.get_voice_connector_group(VoiceConnectorGroupId=group)["VoiceConnectorGroup"]
assert (found["Name"], found["VoiceConnectorItems"]) == ("group 2", [{"VoiceConnectorId": vc, "Priority": 3}]), found

# Destroyed in the opposite order. The provider empties a group before it deletes it.
chime.update_voice_connector_group(VoiceConnectorGroupId=group, Name="group 2", VoiceConnectorItems=[])
chime.delete_voice_connector_group(VoiceConnectorGroupId=group)
raises(errors.NotFoundException, chime.get_voice_connector_group, VoiceConnectorGroupId=group)
chime.delete_voice_connector_termination_credentials(VoiceConnectorId=vc, Usernames=["one"])
assert chime.list_voice_connector_termination_credentials(VoiceConnectorId=vc)["Usernames"] == []
chime.delete_voice_connector_streaming_configuration(VoiceConnectorId=vc)
raises(errors.NotFoundException, chime.get_voice_connector_streaming_configuration, VoiceConnectorId=vc)
chime.delete_voice_connector_origination(VoiceConnectorId=vc)
raises(errors.NotFoundException, chime.get_voice_connector_origination, VoiceConnectorId=vc)
chime.delete_voice_connector_termination(VoiceConnectorId=vc)
raises(errors.NotFoundException, chime.get_voice_connector_termination, VoiceConnectorId=vc)
chime.delete_voice_connector(VoiceConnectorId=vc)
raises(errors.NotFoundException, chime.get_voice_connector, VoiceConnectorId=vc)
raises(errors.NotFoundException, chime.delete_voice_connector, VoiceConnectorId=vc)

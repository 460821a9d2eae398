"""The whole life of a trunk by an unmodified boto3: life.py ENDPOINT."""

import datetime
import os
import sys

import boto3
import botocore.auth

from calls import BACKUP, CUSTOMER, DIGITS, call, raises


def client(key=os.environ["AWS_ACCESS_KEY_ID"], secret=os.environ["AWS_SECRET_ACCESS_KEY"]):
    return boto3.client(
        "chime-sdk-voice", endpoint_url=sys.argv[1], region_name="eu-central-1", aws_access_key_id=key, aws_secret_access_key=secret,
    )


chime = client()
errors = chime.exceptions


def connector(name, host):
    """A connector whose customer is at that address."""
    made = chime.create_voice_connector(Name=name, AwsRegion="eu-central-1", RequireEncryption=False)["VoiceConnector"]
    vc = made["VoiceConnectorId"]
    chime.put_voice_connector_termination(VoiceConnectorId=vc, Termination=termination(host))
    chime.put_voice_connector_origination(
        VoiceConnectorId=vc,
        Origination={"Routes": [{"Host": host, "Port": 5070, "Protocol": "UDP", "Priority": 1, "Weight": 1}], "Disabled": False},
    )
    return vc


def termination(host, disabled=False):
    return {"CallingRegions": ["US"], "CidrAllowedList": [f"{host}/32"], "CpsLimit": 10, "Disabled": disabled}


# A trunk from nothing: connector, termination, origination, numbers.
vc = connector("Branch", CUSTOMER)
found = chime.search_available_phone_numbers(AreaCode=DIGITS[2:5], Country="US", MaxResults=500)["E164PhoneNumbers"]
number, other = [one for one in found if one.startswith(DIGITS)][:2]
order = chime.create_phone_number_order(ProductType="VoiceConnector", E164PhoneNumbers=[number, other])["PhoneNumberOrder"]
assert order["Status"] == "Successful", order
answer = chime.associate_phone_numbers_with_voice_connector(VoiceConnectorId=vc, E164PhoneNumbers=[number, other])
assert answer["PhoneNumberErrors"] == [], answer
call("outbound", number, "200")
call("inbound", number, CUSTOMER)

# Logins hold for the next call.
chime.put_voice_connector_termination_credentials(
    VoiceConnectorId=vc, Credentials=[{"Username": "branch", "Password": "correct-horse"}]
)
call("outbound", number, "407")
call("proven", number)

# Termination disabled: the next call is refused; enabled again, it passes.
chime.put_voice_connector_termination(VoiceConnectorId=vc, Termination=termination(CUSTOMER, disabled=True))
call("outbound", number, "403")
chime.put_voice_connector_termination(VoiceConnectorId=vc, Termination=termination(CUSTOMER))
call("proven", number)

# A number unassigned, deleted, restored.
chime.disassociate_phone_numbers_from_voice_connector(VoiceConnectorId=vc, E164PhoneNumbers=[other])
call("inbound", other, "404")
chime.delete_phone_number(PhoneNumberId=other)
assert "DeletionTimestamp" in chime.get_phone_number(PhoneNumberId=other)["PhoneNumber"]
restored = chime.restore_phone_number(PhoneNumberId=other)["PhoneNumber"]
assert restored["Status"] == "Unassigned", restored
chime.associate_phone_numbers_with_voice_connector(VoiceConnectorId=vc, E164PhoneNumbers=[other])
call("inbound", other, CUSTOMER)

# A group: nobody is at the first connector's host now, and the second one's takes the call.
second = connector("Backup", BACKUP)
items = [{"VoiceConnectorId": vc, "Priority": 1}, {"VoiceConnectorId": second, "Priority": 2}]
group = chime.create_voice_connector_group(Name="Both", VoiceConnectorItems=items)["VoiceConnectorGroup"]["VoiceConnectorGroupId"]
answer = chime.associate_phone_numbers_with_voice_connector_group(
    VoiceConnectorGroupId=group, E164PhoneNumbers=[other], ForceAssociate=True
)
assert answer["PhoneNumberErrors"] == [], answer
call("inbound", other, BACKUP)

# Who may not.
unknown = client(key="AKIAAAAAAAAAAAAAAAAA")
raises(unknown.exceptions.UnauthorizedClientException, unknown.list_voice_connectors)
wrong = client(secret="another")
raises(wrong.exceptions.UnauthorizedClientException, wrong.list_voice_connectors)
reader = client(os.environ["READER_KEY_ID"], os.environ["READER_SECRET"])
assert reader.get_voice_connector(VoiceConnectorId=vc)["VoiceConnector"]["Name"] == "Branch"
raised = raises(reader.exceptions.AccessDeniedException, reader.delete_voice_connector, VoiceConnectorId=vc)
assert "is not authorized to perform: chime:DeleteVoiceConnector" in str(raised), raised
now = botocore.auth.get_current_datetime
for minutes in (-6, 6):
    at = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(minutes=minutes)
    botocore.auth.get_current_datetime = lambda remove_tzinfo=True: at.replace(tzinfo=None) if remove_tzinfo else at
    raises(errors.UnauthorizedClientException, chime.list_voice_connectors)
botocore.auth.get_current_datetime = now

# The end.
raises(errors.ConflictException, chime.delete_voice_connector, VoiceConnectorId=vc)
chime.disassociate_phone_numbers_from_voice_connector_group(VoiceConnectorGroupId=group, E164PhoneNumbers=[other])
chime.update_voice_connector_group(VoiceConnectorGroupId=group, Name="Both", VoiceConnectorItems=[])
chime.delete_voice_connector_group(VoiceConnectorGroupId=group)
chime.disassociate_phone_numbers_from_voice_connector(VoiceConnectorId=vc, E164PhoneNumbers=[number])
for one in (number, other):
    chime.delete_phone_number(PhoneNumberId=one)
for one in (vc, second):
    chime.delete_voice_connector(VoiceConnectorId=one)
call("outbound", number, "403")

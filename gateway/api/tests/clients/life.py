"""The life of a trunk, from its connector to its end, and what may not be done to it."""

import os
import time

from botocore.exceptions import ClientError

from pipe import client, raises

chime = client()
errors = chime.exceptions

# A connector.
made = chime.create_voice_connector(
    Name="trunk", AwsRegion="eu-central-1", RequireEncryption=False, Tags=[{"Key": "team", "Value": "voice"}]
)["VoiceConnector"]
connector, arn = made["VoiceConnectorId"], made["VoiceConnectorArn"]
assert made["OutboundHostName"] == f"{connector}.trunk.example.com", made
assert arn == f"arn:aws:chime:eu-central-1:111122223333:vc/{connector}", made
assert made["NetworkType"] == "IPV4_ONLY" and made["RequireEncryption"] is False, made
assert abs(made["CreatedTimestamp"].timestamp() - time.time()) < 60, made
assert chime.get_voice_connector(VoiceConnectorId=connector)["VoiceConnector"] == made
chime.update_voice_connector(VoiceConnectorId=connector, Name="trunk 2", RequireEncryption=False)
assert chime.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "team", "Value": "voice"}]
chime.tag_resource(ResourceARN=arn, Tags=[{"Key": "env", "Value": "prod"}])
chime.untag_resource(ResourceARN=arn, TagKeys=["team"])
assert chime.list_tags_for_resource(ResourceARN=arn)["Tags"] == [{"Key": "env", "Value": "prod"}]

# Its configurations.
raises(errors.NotFoundException, chime.get_voice_connector_termination, VoiceConnectorId=connector)
termination = {
    "CpsLimit": 3, "CallingRegions": ["US", "DE"], "CidrAllowedList": ["198.51.100.0/28"], "Disabled": False,
}
put = chime.put_voice_connector_termination(VoiceConnectorId=connector, Termination=termination)["Termination"]
assert put == termination, put
chime.put_voice_connector_termination_credentials(
    VoiceConnectorId=connector, Credentials=[{"Username": "alice", "Password": "correct horse"}]
)
listed = chime.list_voice_connector_termination_credentials(VoiceConnectorId=connector)
assert listed["Usernames"] == ["alice"] and "correct horse" not in str(listed)
chime.delete_voice_connector_termination_credentials(VoiceConnectorId=connector, Usernames=["alice", "bob"])
health = chime.get_voice_connector_termination_health(VoiceConnectorId=connector)["TerminationHealth"]
assert health["Source"] == "192.0.2.7" and health["Timestamp"].timestamp() == 1_700_000_000, health
origination = {
    "Routes": [{"Host": "203.0.113.9", "Port": 5080, "Protocol": "UDP", "Priority": 1, "Weight": 2}], "Disabled": False,
}
put = chime.put_voice_connector_origination(VoiceConnectorId=connector, Origination=origination)["Origination"]
assert put == origination, put
dnis = [{"EmergencyPhoneNumber": "+12065550911", "TestPhoneNumber": "+12065550912", "CallingCountry": "US"}]
put = chime.put_voice_connector_emergency_calling_configuration(
    VoiceConnectorId=connector, EmergencyCallingConfiguration={"DNIS": dnis}
)
assert put["EmergencyCallingConfiguration"]["DNIS"] == dnis, put
raises(ClientError, chime.delete_voice_connector_termination, VoiceConnectorId=connector)
chime.delete_voice_connector_emergency_calling_configuration(VoiceConnectorId=connector)
logging = {"EnableSIPLogs": True, "EnableMediaMetricLogs": False}
chime.put_voice_connector_logging_configuration(VoiceConnectorId=connector, LoggingConfiguration=logging)
assert chime.get_voice_connector_logging_configuration(VoiceConnectorId=connector)["LoggingConfiguration"] == logging

# Numbers: ordered, assigned, moved, given back.
found = chime.search_available_phone_numbers(AreaCode="206", Country="US", PhoneNumberType="Local", MaxResults=2)
first, second = found["E164PhoneNumbers"]
third = chime.search_available_phone_numbers(
    AreaCode="206", Country="US", PhoneNumberType="Local", MaxResults=1, NextToken=found["NextToken"]
)["E164PhoneNumbers"][0]
raises(errors.BadRequestException, chime.search_available_phone_numbers, AreaCode="800", NextToken=found["NextToken"])
order = chime.create_phone_number_order(ProductType="VoiceConnector", E164PhoneNumbers=[first, second, third])["PhoneNumberOrder"]
assert order["Status"] == "Successful", order
assert chime.get_phone_number_order(PhoneNumberOrderId=order["PhoneNumberOrderId"])["PhoneNumberOrder"] == order
assert chime.list_phone_number_orders()["PhoneNumberOrders"] == [order]
answer = chime.associate_phone_numbers_with_voice_connector(
    VoiceConnectorId=connector, E164PhoneNumbers=[first, "+12065550000"]
)
assert [error["ErrorCode"] for error in answer["PhoneNumberErrors"]] == ["NotFound"], answer
number = chime.get_phone_number(PhoneNumberId=first)["PhoneNumber"]
assert number["Status"] == "Assigned" and number["Associations"][0]["Value"] == connector, number
group = chime.create_voice_connector_group(
    Name="both", VoiceConnectorItems=[{"VoiceConnectorId": connector, "Priority": 1}]
)["VoiceConnectorGroup"]
group_id = group["VoiceConnectorGroupId"]
answer = chime.associate_phone_numbers_with_voice_connector_group(VoiceConnectorGroupId=group_id, E164PhoneNumbers=[first])
assert [error["ErrorCode"] for error in answer["PhoneNumberErrors"]] == ["PhoneNumberAssociationsExist"], answer
answer = chime.associate_phone_numbers_with_voice_connector_group(
    VoiceConnectorGroupId=group_id, E164PhoneNumbers=[first], ForceAssociate=True
)
assert answer["PhoneNumberErrors"] == [], answer
listed = chime.list_phone_numbers(FilterName="VoiceConnectorGroupId", FilterValue=group_id)["PhoneNumbers"]
assert [number["PhoneNumberId"] for number in listed] == [first], listed
chime.update_phone_number(PhoneNumberId=first, CallingName="Acme 1")
raises(errors.BadRequestException, chime.update_phone_number, PhoneNumberId=first, CallingName="Acme", Name="x")
raises(ClientError, chime.delete_phone_number, PhoneNumberId=first)
chime.disassociate_phone_numbers_from_voice_connector_group(VoiceConnectorGroupId=group_id, E164PhoneNumbers=[first])
chime.delete_phone_number(PhoneNumberId=first)
deleted = chime.get_phone_number(PhoneNumberId=first)["PhoneNumber"]
assert 6.9 < (deleted["DeletionTimestamp"].timestamp() - time.time()) / 86400 < 7.1, deleted
assert chime.restore_phone_number(PhoneNumberId=first)["PhoneNumber"]["Status"] == "Unassigned"

# Pages, and tokens of other lists.
names = [f"page {number}" for number in range(5)]
for name in names:
    chime.create_voice_connector(Name=name, RequireEncryption=True)
seen, token = [], None
while True:
    page = chime.list_voice_connectors(MaxResults=2, **({"NextToken": token} if token else {}))
    seen += [one["Name"] for one in page["VoiceConnectors"]]
    token = page.get("NextToken")
    if not token:
        break
    other = token
assert sorted(seen) == sorted(names + ["trunk 2", "office"]), seen
for wrong in (other + "A", "A" + other[1:] if other[0] != "A" else "B" + other[1:], "%", "x" * 10_000):
    raises(errors.BadRequestException, chime.list_voice_connectors, NextToken=wrong)
raises(errors.BadRequestException, chime.list_voice_connector_groups, NextToken=other)

# What files own.
raised = raises(errors.ConflictException, chime.update_voice_connector, VoiceConnectorId="office", Name="x", RequireEncryption=False)
assert "gateway.toml" in raised.response["Error"]["Message"], raised

# Settings, and what is not served.
chime.update_global_settings(VoiceConnector={"CdrBucket": "records-of-mine"})
assert chime.get_global_settings()["VoiceConnector"]["CdrBucket"] == "records-of-mine"
chime.update_phone_number_settings(CallingName="Acme")
assert chime.get_phone_number_settings()["CallingName"] == "Acme"
address = {
    "AwsAccountId": "111122223333", "StreetNumber": "221", "StreetInfo": "Baker Street", "City": "Seattle",
    "State": "WA", "Country": "US", "PostalCode": "98101",
}
assert chime.validate_e911_address(**address)["ValidationResult"] == 2

# Who may not.
reader = client(key=os.environ["READER"])
assert reader.get_voice_connector(VoiceConnectorId=connector)["VoiceConnector"]["Name"] == "trunk 2"
raised = raises(reader.exceptions.AccessDeniedException, reader.delete_voice_connector, VoiceConnectorId=connector)
text = "User: arn:aws:iam::111122223333:user/reader is not authorized to perform: chime:DeleteVoiceConnector"
assert raised.response["Error"]["Message"] == text, raised
assert raised.response["ResponseMetadata"]["HTTPStatusCode"] == 403
chime.tag_resource(ResourceARN=arn, Tags=[{"Key": "env", "Value": "test"}])
reader.update_voice_connector(VoiceConnectorId=connector, Name="trunk 3", RequireEncryption=False)
raises(
    reader.exceptions.AccessDeniedException, reader.associate_phone_numbers_with_voice_connector,
    VoiceConnectorId=connector, E164PhoneNumbers=[first],
)
nobody = client(key="AKIANOTHINGNOTHINGNO")
raises(nobody.exceptions.AccessDeniedException, nobody.list_voice_connectors)

# The end.
raises(errors.ConflictException, chime.delete_voice_connector, VoiceConnectorId=connector)
chime.update_voice_connector_group(VoiceConnectorGroupId=group_id, Name="both", VoiceConnectorItems=[])
chime.delete_voice_connector_group(VoiceConnectorGroupId=group_id)
chime.delete_voice_connector(VoiceConnectorId=connector)
raises(errors.NotFoundException, chime.get_voice_connector, VoiceConnectorId=connector)

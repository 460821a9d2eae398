"""Every operation with a valid input, and with inputs that are wrong in one thing each, made from the client's own model."""

import copy
import itertools
import json
import re

from botocore.config import Config
from botocore.exceptions import ClientError

import pipe
from pipe import client, raises

chime = client(config=Config(parameter_validation=False, retries={"total_max_attempts": 1}))
model = chime.meta.service_model
names = {operation: method for method, operation in chime.meta.method_to_api_mapping.items()}

GONE = ("Proxy", "Alexa")
LACKING = ("SipMediaApplication", "SipRule", "SpeakerSearchTask", "VoiceToneAnalysisTask")
NOT_THERE = ("VoiceProfile",)  # Biometrics: no operation of this API.

raw = {}
carry = pipe.carry


def watch(request, **more):
    answer = carry(request, **more)
    raw["body"] = answer.content
    return answer


chime.meta.events.unregister("before-send.chime-sdk-voice", carry)
chime.meta.events.register("before-send.chime-sdk-voice", watch)

counter = itertools.count()
pool = iter(f"+1206555{number}" for number in range(1000, 3000))


def connector():
    made = chime.create_voice_connector(Name=f"c {next(counter)}", RequireEncryption=False)["VoiceConnector"]
    id = made["VoiceConnectorId"]
    chime.put_voice_connector_termination(VoiceConnectorId=id, Termination=TERMINATION)
    chime.put_voice_connector_origination(VoiceConnectorId=id, Origination=ORIGINATION)
    return made


def group(items=()):
    return chime.create_voice_connector_group(
        Name=f"g {next(counter)}", VoiceConnectorItems=[{"VoiceConnectorId": item, "Priority": 1} for item in items]
    )["VoiceConnectorGroup"]


def number():
    wanted = next(pool)
    order = chime.create_phone_number_order(ProductType="VoiceConnector", E164PhoneNumbers=[wanted])["PhoneNumberOrder"]
    return wanted, order["PhoneNumberOrderId"]


TERMINATION = {"CallingRegions": ["US"], "CidrAllowedList": ["198.51.100.0/28"], "CpsLimit": 1, "Disabled": False}
ORIGINATION = {"Routes": [{"Host": "203.0.113.9", "Port": 5060, "Protocol": "UDP", "Priority": 1, "Weight": 1}], "Disabled": False}
EMERGENCY = {"DNIS": [{"EmergencyPhoneNumber": "+12065550911", "TestPhoneNumber": "+12065550912", "CallingCountry": "US"}]}
STREAMING = {
    "DataRetentionInHours": 24, "Disabled": False, "StreamingNotificationTargets": [{"NotificationTarget": "SQS"}],
    "MediaInsightsConfiguration": {"Disabled": True, "ConfigurationArn": "arn:aws:chime:eu-central-1:111122223333:x/y"},
}
SYSTEMS = {"SessionBorderControllerTypes": ["CISCO_UNIFIED_BORDER_ELEMENT"], "ContactCenterSystemTypes": ["GENESYS_ENGAGE_ON_PREMISES"]}
TAGS = [{"Key": "k", "Value": "v"}]


def valid(operation):
    """A valid input, with every member that goes together with the others, and what it needs to be there."""
    if operation == "CreateVoiceConnector":
        return {
            "Name": f"n {next(counter)}", "RequireEncryption": True, "AwsRegion": "eu-west-1", "Tags": TAGS,
            "IntegrationType": "CONNECT_ANALYTICS_CONNECTOR", "NetworkType": "DUAL_STACK",
        }
    if operation in ("ListVoiceConnectors", "ListVoiceConnectorGroups", "ListPhoneNumberOrders"):
        return {"MaxResults": 5}
    if operation == "ListPhoneNumbers":
        return {"Status": "Assigned", "ProductType": "VoiceConnector", "FilterName": "VoiceConnectorId", "FilterValue": "x", "MaxResults": 9}
    if operation == "SearchAvailablePhoneNumbers":
        return {"AreaCode": "206", "City": "Seattle", "Country": "US", "State": "WA", "PhoneNumberType": "Local", "MaxResults": 500}
    if operation == "ListSupportedPhoneNumberCountries":
        return {"ProductType": "VoiceConnector"}
    if operation == "ValidateE911Address":
        return {name: "x" for name in ("AwsAccountId", "StreetNumber", "StreetInfo", "City", "State", "Country", "PostalCode")}
    if operation == "CreateVoiceConnectorGroup":
        items = [{"VoiceConnectorId": connector()["VoiceConnectorId"], "Priority": 99}]
        return {"Name": f"n {next(counter)}", "VoiceConnectorItems": items, "CallDistributionType": "PriorityWeightedDistribution"}
    if operation == "CreatePhoneNumberOrder":
        return {"ProductType": "VoiceConnector", "E164PhoneNumbers": [next(pool)], "Name": "a name"}
    if operation == "UpdatePhoneNumberSettings":
        return {"CallingName": "Acme"}
    if operation == "UpdateGlobalSettings":
        return {"VoiceConnector": {"CdrBucket": "bucket-of-mine"}}
    if operation == "BatchUpdatePhoneNumber":
        return {"UpdatePhoneNumberRequestItems": [{"PhoneNumberId": number()[0], "Name": "a name"}]}
    if operation == "BatchDeletePhoneNumber":
        return {"PhoneNumberIds": [number()[0]]}
    if operation in ("TagResource", "UntagResource", "ListTagsForResource"):
        return {"ResourceARN": connector()["VoiceConnectorArn"]} | {
            "TagResource": {"Tags": TAGS}, "UntagResource": {"TagKeys": ["k"]}, "ListTagsForResource": {},
        }[operation]
    members = model.operation_model(operation).input_shape.members if model.operation_model(operation).input_shape else {}
    if "PhoneNumberOrderId" in members:
        return {"PhoneNumberOrderId": number()[1]}
    if "PhoneNumberId" in members:
        wanted = number()[0]
        if operation == "RestorePhoneNumber":
            chime.delete_phone_number(PhoneNumberId=wanted)
        return {"PhoneNumberId": wanted} | ({"CallingName": "Acme"} if operation == "UpdatePhoneNumber" else {})
    if "VoiceConnectorGroupId" in members:
        id = group()["VoiceConnectorGroupId"]
        arguments = {"VoiceConnectorGroupId": id}
        if operation == "UpdateVoiceConnectorGroup":
            items = [{"VoiceConnectorId": connector()["VoiceConnectorId"], "Priority": 1}]
            arguments |= {"Name": "n", "VoiceConnectorItems": items, "CallDistributionType": "PriorityWeightedDistribution"}
        if "E164PhoneNumbers" in members:
            wanted = number()[0]
            arguments["E164PhoneNumbers"] = [wanted]
            if operation.startswith("Disassociate"):
                chime.associate_phone_numbers_with_voice_connector_group(VoiceConnectorGroupId=id, E164PhoneNumbers=[wanted])
        return arguments
    if "VoiceConnectorId" in members:
        id = connector()["VoiceConnectorId"]
        if "Emergency" in operation:
            chime.put_voice_connector_emergency_calling_configuration(VoiceConnectorId=id, EmergencyCallingConfiguration=EMERGENCY)
        if "Streaming" in operation:
            chime.put_voice_connector_streaming_configuration(VoiceConnectorId=id, StreamingConfiguration=STREAMING)
        if "ExternalSystems" in operation:
            chime.put_voice_connector_external_systems_configuration(VoiceConnectorId=id, **SYSTEMS)
        more = {
            "UpdateVoiceConnector": {"Name": "n", "RequireEncryption": False},
            "PutVoiceConnectorTermination": {"Termination": TERMINATION | {"CpsLimit": 2}},
            "PutVoiceConnectorOrigination": {"Origination": ORIGINATION | {"Disabled": True}},
            "PutVoiceConnectorTerminationCredentials": {"Credentials": [{"Username": "u", "Password": "p"}]},
            "DeleteVoiceConnectorTerminationCredentials": {"Usernames": ["u"]},
            "PutVoiceConnectorStreamingConfiguration": {"StreamingConfiguration": STREAMING | {"Disabled": True}},
            "PutVoiceConnectorLoggingConfiguration": {"LoggingConfiguration": {"EnableSIPLogs": True, "EnableMediaMetricLogs": True}},
            "PutVoiceConnectorEmergencyCallingConfiguration": {"EmergencyCallingConfiguration": {"DNIS": EMERGENCY["DNIS"] + []}},
            "PutVoiceConnectorExternalSystemsConfiguration": SYSTEMS | {"ContactCenterSystemTypes": ["AVAYA_AURA_CONTACT_CENTER"]},
        }.get(operation, {})
        if operation == "PutVoiceConnectorEmergencyCallingConfiguration":
            more["EmergencyCallingConfiguration"]["DNIS"][0] = EMERGENCY["DNIS"][0] | {"TestPhoneNumber": "+12065550913"}
        if "E164PhoneNumbers" in members:
            wanted = number()[0]
            more = {"E164PhoneNumbers": [wanted]}
            if operation.startswith("Disassociate"):
                chime.associate_phone_numbers_with_voice_connector(VoiceConnectorId=id, E164PhoneNumbers=[wanted])
        return {"VoiceConnectorId": id} | more
    assert not members, operation
    return {}


def faults(shape, value, path=()):
    """(path, wrong value, why) for each rule of a shape, inside a valid value."""
    rules = shape.metadata
    if shape.type_name == "structure":
        for name, member in shape.members.items():
            if member.serialization.get("location") == "uri":
                continue
            if name in shape.required_members:
                yield path + (name,), None, "missing"
            if name in value:
                yield from faults(member, value[name], path + (name,))
    elif shape.type_name == "list":
        if rules.get("min", 0) > 0:
            yield path, value[: rules["min"] - 1], "too few"
        if "max" in rules:
            yield path, value * (rules["max"] + 1), "too many"
        if value:
            yield from faults(shape.member, value[0], path + (0,))
    elif shape.type_name == "string":
        if path[-1] != 0 and "location" not in shape.serialization:
            yield path, {"a": 1}, "no text"
        if shape.enum:
            yield path, "NOPE", "no value"
        if rules.get("min", 0) > 0:
            yield path, "", "too short"
        if "max" in rules:
            yield path, "a" * (rules["max"] + 1), "too long"
        if "pattern" in rules:
            pattern = rules["pattern"]
            wrong = [text for text in (" ", "!", "+", "++1", "é", "x\ny") if not re.search(f"^(?:{pattern})$", text) and not re.fullmatch(pattern, text)]
            assert wrong, pattern
            yield path, wrong[0], "no match"
    elif shape.type_name in ("integer", "long"):
        yield path, "seven", "no number"
        if "min" in rules:
            yield path, rules["min"] - 1, "too small"
        if "max" in rules:
            yield path, rules["max"] + 1, "too great"
    elif shape.type_name == "boolean":
        yield path, "yes", "neither true nor false"


def spoiled(arguments, path, wrong):
    arguments = copy.deepcopy(arguments)
    inner = arguments
    for step in path[:-1]:
        inner = inner[step]
    if wrong is None:
        del inner[path[-1]]
    else:
        inner[path[-1]] = wrong
    return arguments


def conforms(shape, value, path):
    """Whether an output is what its shape says."""
    rules = shape.metadata
    if shape.type_name == "structure":
        unknown = set(value) - set(shape.members)
        assert not unknown, (path, unknown)
        for name in shape.required_members:
            assert name in value, (path, name)
        for name, inner in value.items():
            conforms(shape.members[name], inner, f"{path}.{name}")
    elif shape.type_name == "list":
        assert isinstance(value, list), path
        # A resource without tags has an empty list of them, though the model says that one is there.
        assert len(value) <= rules.get("max", len(value)), (path, len(value))
        for inner in value:
            conforms(shape.member, inner, path + "[]")
    elif shape.type_name == "timestamp":
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", value), (path, value)
    elif shape.type_name == "string":
        assert isinstance(value, str), (path, value)
        assert not shape.enum or value in shape.enum, (path, value)
        assert rules.get("min", 0) <= len(value) <= rules.get("max", len(value)), (path, value)
        assert "pattern" not in rules or re.fullmatch(rules["pattern"], value), (path, value)
    elif shape.type_name == "boolean":
        assert isinstance(value, bool), (path, value)
    else:
        assert isinstance(value, int) and rules.get("min", value) <= value <= rules.get("max", value), (path, value)


served = refused = 0
for operation in model.operation_names:
    call, shape = getattr(chime, names[operation]), model.operation_model(operation)
    if any(word in operation for word in NOT_THERE):
        continue
    needs = {name: "x" for name in (shape.input_shape.members if shape.input_shape else {}) if shape.input_shape.members[name].serialization.get("location") == "uri"}
    if any(word in operation for word in GONE):
        raises(chime.exceptions.GoneException, call, **needs)
        continue
    if any(word in operation for word in LACKING):
        raised = raises(chime.exceptions.ServiceUnavailableException, call, **needs)
        assert "this gateway has no" in raised.response["Error"]["Message"], raised
        continue
    arguments = valid(operation)
    raw.clear()
    try:
        answer = call(**arguments)
    except ClientError as error:
        raise AssertionError(f"{operation} {arguments}") from error
    status = answer["ResponseMetadata"]["HTTPStatusCode"]
    assert status == shape.http.get("responseCode", 200), (operation, status)
    if status == 204:
        assert raw["body"] == b"", operation
    elif shape.output_shape:
        conforms(shape.output_shape, json.loads(raw["body"]), operation)
    assert not answer.get("PhoneNumberErrors"), (operation, answer)
    served += 1

    if shape.input_shape:
        for path, wrong, why in faults(shape.input_shape, arguments):
            try:
                call(**spoiled(arguments, path, wrong))
            except chime.exceptions.BadRequestException as error:
                refused += 1
                assert error.response["ResponseMetadata"]["HTTPStatusCode"] == 400
            except Exception as error:
                raise AssertionError(f"{operation}: {path} {why} {wrong!r}: {error!r}") from error
            else:
                raise AssertionError(f"{operation} took {path} {why}: {wrong!r}")
        if needs:
            raises(chime.exceptions.NotFoundException, call, **(arguments | needs))
assert served == 56 and refused > 200, (served, refused)

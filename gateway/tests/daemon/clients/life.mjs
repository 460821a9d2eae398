// A trunk by the unmodified @aws-sdk/client-chime-sdk-voice: life.mjs ENDPOINT MODULES. Calls are the test's, see calls.py.

import assert from "node:assert/strict";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const [endpoint, modules] = process.argv.slice(2);
const sdk = createRequire(`${modules}/`)("@aws-sdk/client-chime-sdk-voice");
const { CUSTOMER, DIGITS, READER_KEY_ID, READER_SECRET, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY } = process.env;

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
async function call(...words) {
    console.log(words.join(" "));
    assert.equal((await lines.next()).value, "done");
}

function client(accessKeyId = AWS_ACCESS_KEY_ID, secretAccessKey = AWS_SECRET_ACCESS_KEY, more = {}) {
    const credentials = { accessKeyId, secretAccessKey };
    const made = new sdk.ChimeSDKVoiceClient({ endpoint, region: "eu-central-1", credentials, ...more });
    return (name, input = {}) => made.send(new sdk[`${name}Command`](input));
}

async function refused(exception, promise) {
    await assert.rejects(promise, (error) => {
        assert.ok(error instanceof sdk[exception], `${error}: no ${exception}`);
        return true;
    });
}

const chime = client();
const made = await chime("CreateVoiceConnector", { Name: "Branch", AwsRegion: "eu-central-1", RequireEncryption: false });
const VoiceConnectorId = made.VoiceConnector.VoiceConnectorId;
assert.ok(made.VoiceConnector.CreatedTimestamp instanceof Date);
const termination = (Disabled) => chime("PutVoiceConnectorTermination", {
    VoiceConnectorId,
    Termination: { CallingRegions: ["US"], CidrAllowedList: [`${CUSTOMER}/32`], CpsLimit: 10, Disabled },
});
await termination(false);
const Routes = [{ Host: CUSTOMER, Port: 5070, Protocol: "UDP", Priority: 1, Weight: 1 }];
const put = await chime("PutVoiceConnectorOrigination", { VoiceConnectorId, Origination: { Routes, Disabled: false } });
assert.deepEqual(put.Origination.Routes, Routes);
const found = await chime("SearchAvailablePhoneNumbers", { AreaCode: DIGITS.slice(2, 5), Country: "US", MaxResults: 500 });
const number = found.E164PhoneNumbers.find((one) => one.startsWith(DIGITS));
const order = await chime("CreatePhoneNumberOrder", { ProductType: "VoiceConnector", E164PhoneNumbers: [number] });
assert.equal(order.PhoneNumberOrder.Status, "Successful");
const assigned = await chime("AssociatePhoneNumbersWithVoiceConnector", { VoiceConnectorId, E164PhoneNumbers: [number] });
assert.deepEqual(assigned.PhoneNumberErrors, []);
await call("outbound", number, "200");
await chime("PutVoiceConnectorTerminationCredentials", {
    VoiceConnectorId, Credentials: [{ Username: "branch", Password: "correct-horse" }],
});
await call("proven", number);
await termination(true);
await call("outbound", number, "403");

await refused("UnauthorizedClientException", client(undefined, "another")("ListVoiceConnectors"));
await refused("AccessDeniedException", client(READER_KEY_ID, READER_SECRET)("DeleteVoiceConnector", { VoiceConnectorId }));
// It would mend its clock by that of the answer, and ask again.
const late = client(undefined, undefined, { systemClockOffset: 3_600_000, maxAttempts: 1 });
await refused("UnauthorizedClientException", late("ListVoiceConnectors"));
await refused("ConflictException", chime("DeleteVoiceConnector", { VoiceConnectorId }));

await chime("DisassociatePhoneNumbersFromVoiceConnector", { VoiceConnectorId, E164PhoneNumbers: [number] });
await chime("DeletePhoneNumber", { PhoneNumberId: number });
const restored = await chime("RestorePhoneNumber", { PhoneNumberId: number });
assert.equal(restored.PhoneNumber.Status, "Unassigned");
await chime("DeletePhoneNumber", { PhoneNumberId: number });
await chime("DeleteVoiceConnector", { VoiceConnectorId });
await refused("NotFoundException", chime("GetVoiceConnector", { VoiceConnectorId }));
process.exit(0);

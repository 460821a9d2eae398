#!/usr/bin/env bash
# A trunk by the unmodified AWS CLI: aws.sh ENDPOINT. Calls are the test's, see calls.py.
set -euo pipefail
export AWS_ENDPOINT_URL_CHIME_SDK_VOICE=$1 AWS_DEFAULT_OUTPUT=text AWS_PAGER=
chime() { aws chime-sdk-voice "$@"; }
say() { echo "$*"; read -r answer; [ "$answer" = done ]; }
# It says which exception it is.
refused() {
    local exception=$1 said
    shift
    if said=$("$@" 2>&1); then
        echo "taken: $*" >&2
        exit 1
    fi
    case "$said" in *"($exception)"*) ;; *) echo "no $exception: $said" >&2; exit 1 ;; esac
}

vc=$(chime create-voice-connector --name Branch --aws-region eu-central-1 --no-require-encryption \
    --tags Key=team,Value=voice --query VoiceConnector.VoiceConnectorId)
termination() {
    chime put-voice-connector-termination --voice-connector-id "$vc" --termination \
        "{\"CallingRegions\":[\"US\"],\"CidrAllowedList\":[\"$CUSTOMER/32\"],\"CpsLimit\":10,\"Disabled\":$1}" >/dev/null
}
termination false
chime put-voice-connector-origination --voice-connector-id "$vc" \
    --origination "Routes=[{Host=$CUSTOMER,Port=5070,Protocol=UDP,Priority=1,Weight=1}],Disabled=false" >/dev/null
number=$(chime search-available-phone-numbers --area-code "${DIGITS:2:3}" --country US --max-results 500 \
    --query "E164PhoneNumbers[?starts_with(@, '$DIGITS')] | [0]")
[ "$(chime create-phone-number-order --product-type VoiceConnector --e164-phone-numbers "$number" \
    --query PhoneNumberOrder.Status)" = Successful ]
chime associate-phone-numbers-with-voice-connector --voice-connector-id "$vc" --e164-phone-numbers "$number"
[ "$(chime get-phone-number --phone-number-id "$number" --query 'PhoneNumber.Associations[0].Value')" = "$vc" ]
say outbound "$number" 200
chime put-voice-connector-termination-credentials --voice-connector-id "$vc" --credentials Username=branch,Password=correct-horse
[ "$(chime list-voice-connector-termination-credentials --voice-connector-id "$vc" --query Usernames)" = branch ]
say proven "$number"
termination true
say outbound "$number" 403

refused UnauthorizedClientException env AWS_SECRET_ACCESS_KEY=another aws chime-sdk-voice list-voice-connectors
refused AccessDeniedException env AWS_ACCESS_KEY_ID="$READER_KEY_ID" AWS_SECRET_ACCESS_KEY="$READER_SECRET" \
    aws chime-sdk-voice delete-voice-connector --voice-connector-id "$vc"
refused BadRequestException aws chime-sdk-voice put-voice-connector-origination --voice-connector-id "$vc" \
    --origination "Routes=[{Host=$CUSTOMER,Port=70000,Protocol=UDP,Priority=1,Weight=1}]"
refused ConflictException aws chime-sdk-voice delete-voice-connector --voice-connector-id "$vc"

chime disassociate-phone-numbers-from-voice-connector --voice-connector-id "$vc" --e164-phone-numbers "$number"
chime delete-phone-number --phone-number-id "$number"
[ "$(chime restore-phone-number --phone-number-id "$number" --query PhoneNumber.Status)" = Unassigned ]
chime delete-phone-number --phone-number-id "$number"
chime delete-voice-connector --voice-connector-id "$vc"
refused NotFoundException aws chime-sdk-voice get-voice-connector --voice-connector-id "$vc"

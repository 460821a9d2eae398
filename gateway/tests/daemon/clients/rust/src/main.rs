//! A trunk by the unmodified `aws-sdk-chimesdkvoice`: sdk-client ENDPOINT. Calls are the test's, see `calls.py`.

use std::env::var;
use std::error::Error;
use std::io::{BufRead, stdin};

use aws_credential_types::Credentials;
use aws_sdk_chimesdkvoice::config::Region;
use aws_sdk_chimesdkvoice::error::ProvideErrorMetadata;
use aws_sdk_chimesdkvoice::types::{
    Credential, OrderedPhoneNumberStatus, Origination, OriginationRoute, OriginationRouteProtocol,
    PhoneNumberOrderStatus, PhoneNumberProductType, PhoneNumberStatus, Termination, VoiceConnectorAwsRegion,
};
use aws_sdk_chimesdkvoice::{Client, Config};

type Done<T = ()> = Result<T, Box<dyn Error>>;

fn client(id: &str, secret: &str) -> Client {
    let config = Config::builder()
        .endpoint_url(std::env::args().nth(1).unwrap())
        .region(Region::new("eu-central-1"))
        .credentials_provider(Credentials::new(id, secret, None, None, "test"))
        .http_client(aws_smithy_http_client::Builder::new().build_http())
        .build();
    Client::from_conf(config)
}

fn call(words: &[&str]) {
    println!("{}", words.join(" "));
    let mut answer = String::new();
    stdin().lock().read_line(&mut answer).unwrap();
    assert_eq!(answer.trim(), "done");
}

fn termination(customer: &str, disabled: bool) -> Termination {
    Termination::builder()
        .calling_regions("US")
        .cidr_allowed_list(format!("{customer}/32"))
        .cps_limit(10)
        .disabled(disabled)
        .build()
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Done {
    let (customer, digits) = (var("CUSTOMER")?, var("DIGITS")?);
    let (id, secret) = (var("AWS_ACCESS_KEY_ID")?, var("AWS_SECRET_ACCESS_KEY")?);
    let chime = client(&id, &secret);
    let made = chime
        .create_voice_connector()
        .name("Branch")
        .aws_region(VoiceConnectorAwsRegion::EuCentral1)
        .require_encryption(false)
        .send()
        .await?;
    let made = made.voice_connector.unwrap();
    assert!(made.created_timestamp.is_some());
    let vc = made.voice_connector_id.unwrap();
    let put = chime
        .put_voice_connector_termination()
        .voice_connector_id(&vc)
        .termination(termination(&customer, false));
    assert_eq!(put.send().await?.termination, Some(termination(&customer, false)));
    let route =
        OriginationRoute::builder().host(&customer).port(5070).protocol(OriginationRouteProtocol::Udp);
    let route = route.priority(1).weight(1).build();
    let origination = Origination::builder().routes(route).disabled(false).build();
    let put =
        chime.put_voice_connector_origination().voice_connector_id(&vc).origination(origination.clone());
    assert_eq!(put.send().await?.origination, Some(origination));

    let found =
        chime.search_available_phone_numbers().area_code(&digits[2..5]).country("US").max_results(500);
    let found = found.send().await?;
    let number =
        found.e164_phone_numbers().iter().find(|number| number.starts_with(&digits)).unwrap().clone();
    let order = chime.create_phone_number_order().product_type(PhoneNumberProductType::VoiceConnector);
    let order = order.e164_phone_numbers(&number).send().await?.phone_number_order.unwrap();
    assert_eq!(order.status, Some(PhoneNumberOrderStatus::Successful));
    assert_eq!(order.ordered_phone_numbers()[0].status, Some(OrderedPhoneNumberStatus::Acquired));
    let assigned = chime.associate_phone_numbers_with_voice_connector().voice_connector_id(&vc);
    assert!(assigned.e164_phone_numbers(&number).send().await?.phone_number_errors().is_empty());
    call(&["outbound", &number, "200"]);
    let login = Credential::builder().username("branch").password("correct-horse").build();
    chime
        .put_voice_connector_termination_credentials()
        .voice_connector_id(&vc)
        .credentials(login)
        .send()
        .await?;
    call(&["proven", &number]);
    let put = chime.put_voice_connector_termination().voice_connector_id(&vc);
    put.termination(termination(&customer, true)).send().await?;
    call(&["outbound", &number, "403"]);

    let refused =
        client(&id, "another").list_voice_connectors().send().await.unwrap_err().into_service_error();
    assert!(refused.is_unauthorized_client_exception(), "{refused}");
    let reader = client(&var("READER_KEY_ID")?, &var("READER_SECRET")?);
    let refused = reader.delete_voice_connector().voice_connector_id(&vc).send().await.unwrap_err();
    // The model of this operation does not have it.
    assert_eq!(refused.code(), Some("AccessDeniedException"), "{refused:?}");
    let refused = chime.delete_voice_connector().voice_connector_id(&vc).send().await.unwrap_err();
    assert!(refused.into_service_error().is_conflict_exception());

    let gone = chime.disassociate_phone_numbers_from_voice_connector().voice_connector_id(&vc);
    gone.e164_phone_numbers(&number).send().await?;
    chime.delete_phone_number().phone_number_id(&number).send().await?;
    let restored = chime.restore_phone_number().phone_number_id(&number).send().await?;
    assert_eq!(restored.phone_number.unwrap().status, Some(PhoneNumberStatus::Unassigned));
    chime.delete_phone_number().phone_number_id(&number).send().await?;
    chime.delete_voice_connector().voice_connector_id(&vc).send().await?;
    let refused = chime.get_voice_connector().voice_connector_id(&vc).send().await.unwrap_err();
    assert!(refused.into_service_error().is_not_found_exception());
    Ok(())
}

//! What is configured of a connector: a full replacement each time, told back as it holds.

use inventory::NewCredential;
use inventory::object::{
    ExternalSystems, Logging, MediaInsights, Origination, OriginationRoute, Streaming, Termination,
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::output::{object, timestamp};
use super::{Call, Output};

#[derive(Deserialize, Default)]
#[serde(rename_all = "PascalCase", default)]
struct TerminationInput {
    cps_limit: Option<i64>,
    default_phone_number: Option<String>,
    calling_regions: Option<Vec<String>>,
    cidr_allowed_list: Option<Vec<String>>,
    disabled: Option<bool>,
}

pub(super) fn put_termination(call: &Call<'_>) -> Output {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        termination: TerminationInput,
    }
    let Input { termination: input } = call.read()?;
    let termination = Termination {
        cps_limit: input.cps_limit.map(|limit| u32::try_from(limit).unwrap_or(u32::MAX)),
        default_phone_number: input.default_phone_number,
        calling_regions: input.calling_regions.unwrap_or_default(),
        cidr_allowed_list: input.cidr_allowed_list.unwrap_or_default(),
        disabled: input.disabled.unwrap_or(false),
    };
    let holds = call.inventory.put_termination(call.when(), call.id(), termination)?;
    Ok(json!({ "Termination": shown_termination(&holds) }))
}

pub(super) fn termination(call: &Call<'_>) -> Output {
    Ok(json!({ "Termination": shown_termination(&call.inventory.termination(call.id())?) }))
}

pub(super) fn delete_termination(call: &Call<'_>) -> Output {
    call.inventory.delete_termination(call.when(), call.id())?;
    Ok(Value::Null)
}

fn shown_termination(termination: &Termination) -> Value {
    object([
        ("CpsLimit", json!(termination.cps_limit)),
        ("DefaultPhoneNumber", json!(termination.default_phone_number)),
        ("CallingRegions", json!(termination.calling_regions)),
        ("CidrAllowedList", json!(termination.cidr_allowed_list)),
        ("Disabled", json!(termination.disabled)),
    ])
}

/// Time and source of the customer's last OPTIONS; neither, before the first.
pub(super) fn termination_health(call: &Call<'_>) -> Output {
    call.inventory.termination(call.id())?;
    let health = call.host.termination_health(call.id());
    let health = health.map(|health| {
        json!({ "Timestamp": timestamp(health.at, true), "Source": health.source.to_canonical().to_string() })
    });
    Ok(json!({ "TerminationHealth": health.unwrap_or_else(|| json!({})) }))
}

pub(super) fn put_credentials(call: &Call<'_>) -> Output {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        credentials: Option<Vec<Credential>>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Credential {
        username: Option<String>,
        password: Option<String>,
    }
    let Input { credentials } = call.read()?;
    let credentials: Vec<NewCredential> = credentials
        .unwrap_or_default()
        .into_iter()
        .map(|credential| NewCredential {
            username: credential.username.unwrap_or_default(),
            password: credential.password.unwrap_or_default().into(),
        })
        .collect();
    call.inventory.put_credentials(call.when(), call.id(), &credentials)?;
    Ok(Value::Null)
}

pub(super) fn credentials(call: &Call<'_>) -> Output {
    Ok(json!({ "Usernames": call.inventory.credentials(call.id())? }))
}

pub(super) fn delete_credentials(call: &Call<'_>) -> Output {
    call.inventory.delete_credentials(call.when(), call.id(), &call.texts("Usernames"))?;
    Ok(Value::Null)
}

pub(super) fn put_origination(call: &Call<'_>) -> Output {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        origination: OriginationInput,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct OriginationInput {
        routes: Option<Vec<Route>>,
        disabled: Option<bool>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Route {
        host: Option<String>,
        port: Option<u16>,
        protocol: Option<String>,
        priority: Option<u32>,
        weight: Option<u32>,
    }
    let Input { origination } = call.read()?;
    let routes = origination.routes.unwrap_or_default().into_iter().map(|route| OriginationRoute {
        host: route.host.unwrap_or_default(),
        port: route.port,
        protocol: route.protocol.and_then(|protocol| protocol.parse().ok()),
        priority: route.priority,
        weight: route.weight,
    });
    let disabled = origination.disabled.unwrap_or(false);
    let origination = Origination { routes: routes.collect(), disabled };
    let holds = call.inventory.put_origination(call.when(), call.id(), origination)?;
    Ok(json!({ "Origination": shown_origination(&holds) }))
}

pub(super) fn origination(call: &Call<'_>) -> Output {
    Ok(json!({ "Origination": shown_origination(&call.inventory.origination(call.id())?) }))
}

pub(super) fn delete_origination(call: &Call<'_>) -> Output {
    call.inventory.delete_origination(call.when(), call.id())?;
    Ok(Value::Null)
}

fn shown_origination(origination: &Origination) -> Value {
    let routes = origination.routes.iter().map(|route| {
        object([
            ("Host", json!(route.host)),
            ("Port", json!(route.port)),
            ("Protocol", json!(route.protocol.map(|protocol| protocol.name()))),
            ("Priority", json!(route.priority)),
            ("Weight", json!(route.weight)),
        ])
    });
    json!({ "Routes": routes.collect::<Vec<_>>(), "Disabled": origination.disabled })
}

pub(super) fn put_streaming(call: &Call<'_>) -> Output {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        streaming_configuration: StreamingInput,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct StreamingInput {
        data_retention_in_hours: u64,
        disabled: bool,
        streaming_notification_targets: Option<Vec<Target>>,
        media_insights_configuration: Option<Insights>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Target {
        notification_target: Option<String>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Insights {
        disabled: Option<bool>,
        configuration_arn: Option<String>,
    }
    let Input { streaming_configuration: input } = call.read()?;
    let targets = input.streaming_notification_targets.unwrap_or_default().into_iter();
    let insights = input.media_insights_configuration;
    let streaming = Streaming {
        data_retention_in_hours: u32::try_from(input.data_retention_in_hours).unwrap_or(u32::MAX),
        disabled: input.disabled,
        notification_targets: targets.filter_map(|target| target.notification_target?.parse().ok()).collect(),
        media_insights: insights
            .map(|Insights { disabled, configuration_arn }| MediaInsights { disabled, configuration_arn }),
    };
    let holds = call.inventory.put_streaming(call.when(), call.id(), streaming)?;
    Ok(json!({ "StreamingConfiguration": shown_streaming(&holds) }))
}

pub(super) fn streaming(call: &Call<'_>) -> Output {
    Ok(json!({ "StreamingConfiguration": shown_streaming(&call.inventory.streaming(call.id())?) }))
}

pub(super) fn delete_streaming(call: &Call<'_>) -> Output {
    call.inventory.delete_streaming(call.when(), call.id())?;
    Ok(Value::Null)
}

fn shown_streaming(streaming: &Streaming) -> Value {
    let targets =
        streaming.notification_targets.iter().map(|target| json!({ "NotificationTarget": target.name() }));
    let targets: Vec<Value> = targets.collect();
    let insights = streaming.media_insights.as_ref().map(|insights| {
        object([
            ("Disabled", json!(insights.disabled)),
            ("ConfigurationArn", json!(insights.configuration_arn)),
        ])
    });
    object([
        ("DataRetentionInHours", json!(streaming.data_retention_in_hours)),
        ("Disabled", json!(streaming.disabled)),
        ("StreamingNotificationTargets", if targets.is_empty() { Value::Null } else { targets.into() }),
        ("MediaInsightsConfiguration", insights.unwrap_or(Value::Null)),
    ])
}

pub(super) fn put_logging(call: &Call<'_>) -> Output {
    #[derive(Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Input {
        logging_configuration: LoggingInput,
    }
    #[derive(Deserialize)]
    struct LoggingInput {
        #[serde(rename = "EnableSIPLogs")]
        sip_logs: Option<bool>,
        #[serde(rename = "EnableMediaMetricLogs")]
        media_metric_logs: Option<bool>,
    }
    let Input { logging_configuration: input } = call.read()?;
    let logging = Logging {
        sip_logs: input.sip_logs.unwrap_or(false),
        media_metric_logs: input.media_metric_logs.unwrap_or(false),
    };
    Ok(shown_logging(call.inventory.put_logging(call.when(), call.id(), logging)?))
}

pub(super) fn logging(call: &Call<'_>) -> Output {
    Ok(shown_logging(call.inventory.logging(call.id())?))
}

fn shown_logging(logging: Logging) -> Value {
    let Logging { sip_logs, media_metric_logs } = logging;
    json!({ "LoggingConfiguration": { "EnableSIPLogs": sip_logs, "EnableMediaMetricLogs": media_metric_logs } })
}

pub(super) fn put_external_systems(call: &Call<'_>) -> Output {
    let systems = ExternalSystems {
        session_border_controllers: parsed(call, "SessionBorderControllerTypes"),
        contact_center_systems: parsed(call, "ContactCenterSystemTypes"),
    };
    Ok(shown_systems(&call.inventory.put_external_systems(call.when(), call.id(), systems)?))
}

fn parsed<T: std::str::FromStr>(call: &Call<'_>, name: &str) -> Vec<T> {
    call.texts(name).iter().filter_map(|text| text.parse().ok()).collect()
}

pub(super) fn external_systems(call: &Call<'_>) -> Output {
    Ok(shown_systems(&call.inventory.external_systems(call.id())?))
}

pub(super) fn delete_external_systems(call: &Call<'_>) -> Output {
    call.inventory.delete_external_systems(call.when(), call.id())?;
    Ok(Value::Null)
}

fn shown_systems(systems: &ExternalSystems) -> Value {
    let controllers: Vec<_> = systems.session_border_controllers.iter().map(|system| system.name()).collect();
    let centers: Vec<_> = systems.contact_center_systems.iter().map(|system| system.name()).collect();
    json!({
        "ExternalSystemsConfiguration": {
            "SessionBorderControllerTypes": controllers,
            "ContactCenterSystemTypes": centers,
        }
    })
}

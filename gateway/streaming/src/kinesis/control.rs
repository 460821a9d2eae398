//! The calls around the streams: create, describe, list, retention, where to send.
//!
//! Source: API reference of Kinesis Video Streams, 2017-09-30.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::aws::{Aws, Error};

const SERVICE: &str = "kinesisvideo";

/// A new stream becomes active within seconds.
const ACTIVE: Duration = Duration::from_secs(15);

/// Between two looks at a new stream.
const LOOK: Duration = Duration::from_millis(500);

/// The service, and what its streams are like.
#[derive(Debug, Clone)]
pub struct Control {
    aws: Aws,
    endpoint: String,
    /// Of new streams, in hours; 0: they keep nothing.
    pub retention_hours: u32,
    /// Encrypts new streams.
    pub kms_key: Option<String>,
    /// Of new streams.
    pub tags: BTreeMap<String, String>,
}

/// A stream.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Stream {
    /// Its name.
    pub name: String,
    /// Its ARN, as events name it.
    pub arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Create<'a> {
    stream_name: &'a str,
    media_type: &'a str,
    data_retention_in_hours: u32,
    #[serde(skip_serializing_if = "Option::is_none")]
    kms_key_id: Option<&'a str>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    tags: &'a BTreeMap<String, String>,
}

#[derive(Deserialize)]
struct Created {
    #[serde(rename = "StreamARN")]
    arn: String,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Which<'a> {
    stream_name: &'a str,
    #[serde(rename = "APIName", skip_serializing_if = "Option::is_none")]
    api: Option<&'a str>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Described {
    stream_info: Info,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Info {
    stream_name: String,
    #[serde(rename = "StreamARN")]
    arn: String,
    status: String,
    #[serde(default)]
    version: String,
    #[serde(default)]
    data_retention_in_hours: u32,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct List<'a> {
    max_results: u32,
    stream_name_condition: Condition<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Condition<'a> {
    comparison_operator: &'a str,
    comparison_value: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    #[serde(default)]
    stream_info_list: Vec<Info>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Retention<'a> {
    stream_name: &'a str,
    current_version: &'a str,
    operation: &'a str,
    data_retention_change_in_hours: u32,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Endpoint {
    data_endpoint: String,
}

impl Control {
    /// - `endpoint`: of the service; `None`: the region's.
    #[must_use]
    pub fn new(aws: Aws, endpoint: Option<&str>, retention_hours: u32) -> Self {
        let regional = || format!("https://kinesisvideo.{}.amazonaws.com", aws.region());
        let endpoint = endpoint.map_or_else(regional, |endpoint| endpoint.trim_end_matches('/').to_owned());
        Self { aws, endpoint, retention_hours, kms_key: None, tags: BTreeMap::new() }
    }

    /// Who signs.
    pub(crate) fn aws(&self) -> &Aws {
        &self.aws
    }

    /// Creates a stream, and waits until it takes audio. One that is there already is taken as it is, but for its retention.
    ///
    /// # Errors
    /// The service is away or refuses.
    pub async fn create(&self, name: &str) -> Result<Stream, Error> {
        let request = Create {
            stream_name: name,
            media_type: "audio/L16",
            data_retention_in_hours: self.retention_hours,
            kms_key_id: self.kms_key.as_deref(),
            tags: &self.tags,
        };
        match self.ask::<_, Created>("createStream", &request).await {
            Ok(Created { arn }) => {
                tracing::debug!(%arn, "a stream is created");
            }
            Err(Error::Refused { name, .. }) if name == "ResourceInUseException" => {}
            Err(error) => return Err(error),
        }
        let until = Instant::now() + ACTIVE;
        loop {
            let info = self.describe(name).await?;
            match info.status.as_str() {
                "ACTIVE" | "UPDATING" => {
                    self.retain(&info).await?;
                    return Ok(Stream { name: info.stream_name, arn: info.arn });
                }
                "CREATING" if Instant::now() < until => tokio::time::sleep(LOOK).await,
                status => {
                    return Err(Error::Refused {
                        status: 200,
                        name: "StreamNotActive".to_owned(),
                        message: crate::http::short(status),
                    });
                }
            }
        }
    }

    async fn describe(&self, name: &str) -> Result<Info, Error> {
        let which = Which { stream_name: name, api: None };
        Ok(self.ask::<_, Described>("describeStream", &which).await?.stream_info)
    }

    /// Sees to it that the stream keeps what it gets for as long as is configured.
    async fn retain(&self, info: &Info) -> Result<(), Error> {
        let (now, wanted) = (info.data_retention_in_hours, self.retention_hours);
        if now == wanted {
            return Ok(());
        }
        let operation = if now < wanted { "INCREASE_DATA_RETENTION" } else { "DECREASE_DATA_RETENTION" };
        let request = Retention {
            stream_name: &info.stream_name,
            current_version: &info.version,
            operation,
            data_retention_change_in_hours: now.abs_diff(wanted),
        };
        self.ask::<_, serde_json::Value>("updateDataRetention", &request).await.map(drop)
    }

    /// Streams whose names begin so: at most a page of them. They keep what they get for as long as is configured, from now on.
    ///
    /// # Errors
    /// The service is away or refuses.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Stream>, Error> {
        let stream_name_condition =
            Condition { comparison_operator: "BEGINS_WITH", comparison_value: prefix };
        let request = List { max_results: 100, stream_name_condition };
        let listed: Listed = self.ask("listStreams", &request).await?;
        let mut found = Vec::new();
        for info in listed.stream_info_list {
            if info.status == "ACTIVE" && info.stream_name.starts_with(prefix) {
                self.retain(&info).await?;
                found.push(Stream { name: info.stream_name, arn: info.arn });
            }
        }
        Ok(found)
    }

    /// Where to send a stream's audio.
    ///
    /// # Errors
    /// The service is away or refuses.
    pub async fn put_media_endpoint(&self, name: &str) -> Result<String, Error> {
        let which = Which { stream_name: name, api: Some("PUT_MEDIA") };
        let endpoint: Endpoint = self.ask("getDataEndpoint", &which).await?;
        Ok(endpoint.data_endpoint.trim_end_matches('/').to_owned())
    }

    async fn ask<Q: Serialize, A: for<'a> Deserialize<'a>>(
        &self,
        operation: &str,
        request: &Q,
    ) -> Result<A, Error> {
        let body = serde_json::to_vec(request).map_err(|error| Error::Request(error.to_string()))?;
        let url = format!("{}/{operation}", self.endpoint);
        let answer = self.aws.post(SERVICE, &url, &[], "application/json", body.into()).await?;
        let body = if answer.body().is_empty() { &b"{}"[..] } else { answer.body() };
        serde_json::from_slice(body).map_err(|error| Error::Refused {
            status: answer.status().as_u16(),
            name: "Garbage".to_owned(),
            message: crate::http::short(&error.to_string()),
        })
    }
}
